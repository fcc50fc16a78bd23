"""What each arm says in the form, scored by CHAIR: every mention is a choice of the model, and every caption has as many."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float
from tqdm import tqdm

from analysis.captions.speaker import Captions, Speaker, tried
from analysis.captions.two_pass import ShuffledRates
from analysis.captions.version import code_version
from analysis.form.measures import COUNTS
from analysis.form.names import SHUFFLED
from analysis.form.sentences import FORM, FixedForm, longest, program
from analysis.metrics.chair import score_caption
from analysis.omission.mentions import mentions_of
from analysis.omission.stored import stored
from analysis.question.images import Shown, shown
from kvsmooth import KVSmooth
from kvsmooth.errors import Unsupported
from probes.command.cli import BadInput, one_line, quiet
from probes.command.strict_json import as_json

NONE = "none"
"""The arm without a method."""
EXAMPLES = 1
"""Captions of each arm that are kept: those of the first scenes."""


def trial(config: Any, origin: Mapping[str, Any]) -> xr.Dataset:
    """The reduced data.

    Raises
    ------
    BadInput : the subject brings no scenes, a method is not known, cannot serve it, or changed nothing
    """
    from probes.subjects import load_subject
    from probes.subjects.bundled import BUNDLED, bundled
    from probes.tracing.tokens import end_tokens

    quiet()
    own, chosen = bundled(config.subject), arms_of(config.methods)
    if own is None:
        raise BadInput(f"subject {config.subject}: its objects and scenes are not known; name one of {', '.join(BUNDLED)}.")
    seen = shown(config, None)
    subject = load_subject(config.subject, config.device, config.dtype)
    steps, ends = program(subject.tokenizer, own.forms()), end_tokens(subject.speaker)
    form = (f"{FORM} {code_version(FixedForm.__module__)}", lambda: FixedForm(steps, ends[0]))
    speaker = Speaker(subject, seen.items, config.batch_size, longest(steps), config.store, form)
    arms: list[tuple[str, Any]] = [(NONE, None), *chosen]
    for name, method in arms[1:]:
        try:
            with method(subject.model):  # refused now, not when others have spoken
                pass
        except Unsupported as error:
            raise BadInput(f"{name}: {one_line(error)}") from error
    said: dict[str, Captions] = {}
    for name, method in tqdm(arms, desc="form", unit="arm", disable=None):
        found = tried(speaker, name, method)
        if not isinstance(found, Captions):
            raise BadInput(f"{name}: {found}")
        said[name] = found
    told = {"model_id": config.subject, "model_revision": subject.revision, "n": len(seen.items), "data_hash": speaker.identity["images"]}
    return reduced_of({name: one.texts for name, one in said.items()}, seen).assign_attrs(
        analysis=as_json({**origin, **told}), examples=as_json({name: one.texts[:EXAMPLES] for name, one in said.items()})
    )


def arms_of(specifications: Sequence[str]) -> list[tuple[str, Any]]:
    """Names and methods, in their order; what is none is left out.

    Raises
    ------
    BadInput : a method is not known, or named twice
    """
    from analysis.benchmark.methods import methods

    shuffled = [one.strip() == SHUFFLED for one in specifications]
    if sum(shuffled) > 1:
        raise BadInput(f"--methods: {SHUFFLED} is named twice; leave one of them out.")
    others = iter(methods([one for one, own in zip(specifications, shuffled, strict=True) if not own]))
    found = [(SHUFFLED, ShuffledRates(KVSmooth())) if own else ((one := next(others)).name, one.options) for own in shuffled]
    return [(name, made) for name, made in found if made is not None]


def reduced_of(said: Mapping[str, Sequence[str]], seen: Shown) -> xr.Dataset:
    """Counts "arm image count", and the mentions of the first arm, which is the one that the others are compared with."""
    truth = [seen.truth[item.image_id] for item in seen.items]
    plain = next(iter(said.values()))
    values = np.stack([counts(texts, plain, truth) for texts in said.values()])
    coords = {"arm": list(said), "image": [item.image_id for item in seen.items], "count": list(COUNTS)}
    mentions = mentions_of([score_caption(text, there) for text, there in zip(plain, truth, strict=True)], plain)
    return xr.Dataset({"counts": (("arm", "image", "count"), values.astype(np.float32)), **stored(mentions)}, coords)


def counts(texts: Sequence[str], plain: Sequence[str], truth: Sequence[frozenset[str]]) -> Float[np.ndarray, "image count"]:
    """Each caption's contribution to `COUNTS`.

    Parameters
    ----------
    plain : the captions without a method, place for place
    """
    rows = []
    for text, before, there in zip(texts, plain, truth, strict=True):
        chosen, others = ([(one.object, one.hallucinated) for one in score_caption(caption, there).mentions] for caption in (text, before))
        named = {name for name, _ in chosen}
        absent = sum(wrong for _, wrong in chosen)
        changed = sum(one != other for one, other in zip(chosen, others, strict=True))
        rows.append((1, len(chosen), absent, absent > 0, len(named), len(named & there), len(there), len(chosen) - len(named), changed))
    return np.array(rows, dtype=float).reshape(-1, len(COUNTS))
