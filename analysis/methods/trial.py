"""Every strength on validation scenes, the choice of one for each method, and on test scenes what was chosen beside the source's own."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from tqdm import tqdm

from analysis.captions.speaker import Captions, Speaker, tried
from analysis.methods.given import Given, kept
from analysis.methods.strengths import KVSMOOTH, LEFT_OUT, NEUTRAL, SEARCHES, Setting, at, named, settings
from analysis.published.counts import COLUMNS, PLACES, Spoken, spoken
from analysis.question.images import Shown, shown
from kvsmooth.errors import Unsupported
from probes.command.cli import BadInput, one_line, quiet
from probes.command.strict_json import as_json
from probes.subjects import Subject

NONE = "none"
"""The arm without a method."""
EXAMPLES = 3
"""Captions of each arm that are kept: those of the first test scenes."""


def trial(config: Any, origin: Mapping[str, Any], check: Callable[[xr.Dataset], None] | None = None) -> xr.Dataset:
    """The reduced data.

    Parameters
    ----------
    check : sees the reduced data of what is said without a method before any method speaks

    Raises
    ------
    BadInput : the subject brings no scenes, a method is not known, or the subject cannot be loaded; and what `check` raises
    """
    from analysis.language.reading import how_many
    from probes.subjects import load_subject
    from probes.subjects.bundled import BUNDLED, bundled

    quiet()
    if bundled(config.subject) is None:
        raise BadInput(f"subject {config.subject}: it brings no validation scenes to choose on; name one of {', '.join(BUNDLED)}.")
    chosen = methods_of(config.methods, config.beams)
    how_many(config.fluent)
    sizes = {"validation": config.validation, "test": config.images}
    seen = {split: shown(replace(config, images=n), None, split) for split, n in sizes.items()}
    subject = load_subject(config.subject, config.device, config.dtype)
    speakers = {
        split: Speaker(subject, one.items, config.batch_size, config.max_new_tokens, config.store / split, beams=config.beams)
        for split, one in seen.items()
    }
    told = {"model_id": config.subject, "model_revision": subject.revision, "n": len(seen["test"].items)}
    told |= {"data_hash": speakers["test"].identity["images"], "validation_hash": speakers["validation"].identity["images"]}
    if check is not None:
        plain = {split: _ask(speaker, split, [(NONE, None)], {}) for split, speaker in speakers.items()}
        levels = {NONE: _counts(plain["validation"][NONE], seen["validation"])}
        check(reduced_of(levels, plain["test"], seen["test"], 0, config.seed).assign_attrs(analysis=as_json({**origin, **told})))
    aside = {name: why for name, why in {**LEFT_OUT, **SEARCHES}.items() if not config.methods and name not in chosen}
    made = made_beforehand(chosen, subject, aside, config.store / "given")
    every = opened([one for method in made for one in settings(method, config.strengths, made[method].options)], subject.model, aside)
    curve = _ask(speakers["validation"], "validation", [(NONE, None), *((one.name, one.options) for one in every)], aside)
    levels = {name: _counts(said, seen["validation"]) for name, said in curve.items()}
    choice = {method: choose(method, [one for one in every if one.method == method and one.name in levels], levels) for method in made}
    arms: list[tuple[str, Any]] = [(NONE, None)]
    for method, strength in choice.items():
        tested = sorted({strength, 1.0} - {0.0})
        arms += [(named(method, one), at(method, one, made[method].options)) for one in tested if named(method, one) not in aside]
    said = _ask(speakers["test"], "test", arms, aside)
    reduced = reduced_of(levels, said, seen["test"], config.fluent, config.seed)
    return reduced.assign_attrs(
        analysis=as_json({**origin, **told}),
        chosen=as_json({method: strength for method, strength in choice.items() if named(method, 1.0) not in aside}),
        aside=as_json(aside),
        given=as_json({method: one.told for method, one in made.items() if one.told}),
        options=as_json({name: method.describe() for name, method in arms if method is not None}),
        reports=as_json({name: one.report for name, one in said.items()}),
        seconds=as_json({name: float(f"{one.cpu_seconds / len(one.texts):.4g}") for name, one in said.items()}),
        examples=as_json({name: one.texts[:EXAMPLES] for name, one in said.items()}),
    )


def methods_of(names: Sequence[str], beams: int = 1) -> list[str]:
    """The methods that are tried; with one beam, none that searches.

    Raises
    ------
    BadInput : one that is not known, or not tried
    """
    aside = {**LEFT_OUT, **(SEARCHES if beams == 1 else {})}
    for name in names:
        if name in aside:
            raise BadInput(f"--methods {name}: is not tried here: {aside[name]}; leave it out.")
        if name not in NEUTRAL:
            raise BadInput(f"--methods {name}: there is no such method; choose from {', '.join(NEUTRAL)}.")
    return list(names) or [KVSMOOTH, *(name for name in NEUTRAL if name != KVSMOOTH and name not in aside)]


def made_beforehand(names: Sequence[str], subject: Subject, aside: dict[str, str], folder: Path) -> dict[str, Given]:
    """By method, what it is given, which may be nothing; those for which that cannot be made are put aside with the reason.

    Raises
    ------
    BadInput : none is left
    """
    found = {name: kept(name, subject, folder) for name in names}
    aside |= {name: why for name, why in found.items() if isinstance(why, str)}
    made = {name: one for name, one in found.items() if isinstance(one, Given)}
    if not made:
        raise BadInput(f"--methods {' '.join(names)}: none of them can be tried: {'; '.join(aside[name] for name in names)}; name others.")
    return made


def opened(every: Sequence[Setting], model: Any, aside: dict[str, str]) -> list[Setting]:
    """The settings that can be opened at the model; the others are put aside with the reason: now, not when others have spoken.

    Raises
    ------
    BadInput : none is left
    """
    found = []
    for one in every:
        try:
            with one.options(model):
                found.append(one)
        except Unsupported as error:
            aside[one.name] = one_line(error)
    if not found:
        raise BadInput(f"--methods: none of them can be tried: {'; '.join(aside[one.name] for one in every)}")
    return found


def choose(method: str, tried: Sequence[Setting], levels: Mapping[str, np.ndarray]) -> float:
    """The strength that the rule of `analysis.dose` chooses, which looks at loops alone here; 0 for none."""
    from analysis.captions.measures import ratios
    from analysis.dose.rule import chosen

    of = np.stack([levels[NONE], *(levels[one.name] for one in tried)])
    return chosen([0.0, *(one.strength for one in tried)], ratios(of.sum(1, dtype=float)))


def _ask(speaker: Speaker, split: str, arms: Sequence[tuple[str, Any]], aside: dict[str, str]) -> dict[str, Captions]:
    """What is said under each arm; those that cannot be are put aside with the reason."""
    found = {}
    with tqdm(total=len(arms), desc=split, unit="arm", disable=None) as bar:
        for name, method in arms:
            bar.set_postfix_str(name)
            said = tried(speaker, name, method)
            if isinstance(said, Captions):
                found[name] = said
            elif name == NONE:
                raise BadInput(f"{split} scenes without a method: {said}")
            else:
                aside[name] = said
            bar.update()
    return found


def _counts(said: Captions, seen: Shown) -> np.ndarray:
    from analysis.captions.measures import counts

    return counts(said.texts, said.ended, [seen.truth[item.image_id] for item in seen.items]).astype(np.float32)


def reduced_of(levels: Mapping[str, np.ndarray], said: Mapping[str, Captions], seen: Shown, fluent: int, seed: int) -> xr.Dataset:
    """The reduced data of counts on validation scenes, by setting, and of captions of test scenes, by arm.

    Parameters
    ----------
    seen : the test scenes, in the order of the captions
    fluent : captions of each arm that the packaged language model reads
    """
    from analysis.captions.measures import COUNTS
    from analysis.metrics.chair import score_caption
    from analysis.published.reading import objects
    from analysis.words.readers import reader

    read = reader("bundled")
    names, images = objects(read), [item.image_id for item in seen.items]
    numbers = {name: i for i, name in enumerate(names)}
    found = []
    for one in said.values():
        records = [score_caption(text, seen.truth[image], image, read) for image, text in zip(images, one.texts, strict=True)]
        found.append(spoken(records, one.texts, read, numbers))
    width = max(one.places.shape[1] for one in found)
    places = np.full((len(found), len(images), width, len(PLACES)), -1, dtype=np.int16)
    for i, log in enumerate(found):
        places[i, :, : log.places.shape[1]] = log.places
    variables = {
        "validation": (("setting", "scene", "count"), np.stack([*levels.values()])),
        "test": (("arm", "image", "column"), np.stack([one.counts for one in found]).astype(np.float32)),
        **{name: (("arm", "image", "mention"), places[..., i]) for i, name in enumerate(PLACES)},
        **_fluency(said, fluent, seed),
    }
    coords = {"setting": list(levels), "arm": list(said), "image": found[0].images, "count": list(COUNTS), "column": list(COLUMNS)}
    return xr.Dataset(variables, coords, {"objects": as_json(names)})


def spoken_of(reduced: xr.Dataset) -> dict[str, Spoken]:
    """By arm, what its test captions come to."""
    places = np.stack([reduced[name].transpose("arm", "image", "mention").values for name in PLACES], axis=-1).astype(np.int64)
    counts = reduced["test"].transpose("arm", "image", "column").values.astype(float)
    images = reduced["image"].values
    return {str(arm): Spoken(images, counts[i], places[i]) for i, arm in enumerate(reduced["arm"].values)}


def _fluency(said: Mapping[str, Captions], most: int, seed: int) -> dict[str, tuple]:
    """The NLL of the first captions of each arm under the packaged language model, and of those without a method with words shuffled."""
    if not most:
        return {}
    from analysis.language.models import PACKAGED, language_model
    from analysis.language.reading import first_captions

    return first_captions(language_model(PACKAGED), {name: one.texts for name, one in said.items()}, most, seed)
