"""Recordings -> coupling.nc: by image, place and set, coefficients of row entropy with the ranks of objects; and their null by turning.

Ranks are as recorded, 1 for the most probable token: a positive coefficient says that objects are less probable where entropy is high.
"""

import json
from collections.abc import Iterator, Mapping

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Int

from analysis.captions.mentions import mention_table
from analysis.coupling.circular_shift import DRAWS, circular_shift_test
from analysis.coupling.names import KINDS, TURNED, WITHOUT_FIRST
from analysis.coupling.series import Series, every_step, until_said, without_profile
from analysis.drift.quantities import entropy_without_bos
from analysis.objects.classes import first_mentions
from analysis.objects.names import AT_RISK, CLASSES, SETS, unsaid
from analysis.objects.sample import Objects, generated, members, objects_of
from analysis.question.arms import ARMS, BAND
from analysis.question.recordings import band

VARIABLES = (
    *("row_entropy", "mass", "rate", "object_logit", "object_rank"),
    *("caption", "token_predicted", "piece_predicted", "n_steps"),
)
"""What this question reads of a recording."""
NULLS = ("null_mean", "null_low", "null_high", "p", "p_max_t")


def reduce(recordings: Mapping[str, xr.Dataset], annotations: Mapping, *, min_steps: int = 8, seed: int = 0) -> xr.Dataset:
    """Reduce recordings, one a regime, "free" among them, to one dataset.

    Parameters
    ----------
    recordings : regime name -> merged recording of both arms
    annotations : in COCO's instances format; images that it does not hold are left out
    min_steps : steps that a caption must have, and an object before it is said
    seed : of the turns
    """
    objects = objects_of(recordings["free"], annotations)
    smoothed = band(recordings)
    parts = [_regime(name, recording, annotations, objects, smoothed, min_steps, seed) for name, recording in recordings.items()]
    reduced = xr.concat(parts, "regime", join="outer", combine_attrs="drop", data_vars="all", coords="minimal", compat="override")
    in_class = {name: objects.classes[CLASSES.index(name)].sum(axis=1) for name in CLASSES}
    reduced["members"] = (("set", "image"), np.stack([in_class[name.removesuffix(" unsaid")] for name in SETS]))
    attributes = {name: value for recording in recordings.values() for name, value in recording.attrs.items() if name != "regime"}
    lost = [int(image) for image in recordings["free"]["image"].values if int(image) not in set(objects.image.tolist())]
    told = {"min_steps": min_steps, "dropped": json.dumps(dict(objects.dropped)), "objects_used": len(objects.name), "draws": DRAWS}
    told |= {"unannotated": json.dumps(lost), "band": json.dumps(smoothed)}
    return reduced.assign_attrs({name: value for name, value in attributes.items() if name != "objects"} | told)


def _regime(
    regime: str, recording: xr.Dataset, annotations: Mapping, objects: Objects, smoothed: list[int], min_steps: int, seed: int
) -> xr.Dataset:
    recording = recording.sel(arm=list(ARMS), image=objects.image, object=list(objects.name))
    first = first_mentions(mention_table(recording, annotations), list(ARMS), objects.image, objects.name)
    alive = generated(recording, objects.image)
    alive &= (alive.sum(axis=2) >= min_steps)[:, :, None]
    layers = [int(layer) for layer in recording["layer"].values]
    places = [*map(str, layers), BAND, WITHOUT_FIRST]
    shape = (len(ARMS), len(KINDS), len(SETS), len(places), len(objects.image))
    rho, constant = np.full(shape, np.nan), np.full((len(ARMS), len(SETS), len(objects.image)), np.nan)
    nulls = {name: np.full((len(ARMS), len(TURNED), len(SETS), len(places)), np.nan) for name in NULLS}
    for number, arm in enumerate(ARMS):
        one = recording.sel(arm=arm)
        chosen = [layers.index(layer) for layer in smoothed]
        # the last is a family of its own, so that the others' corrections do not know of it
        columns = ((slice(0, -1), entropies(one, chosen)), (slice(-1, None), without_first(one, chosen)))
        rank, logit = (one[f"object_{name}"].transpose("image", "step", "object").values.astype(float) for name in ("rank", "logit"))
        for at, entropy in columns:
            for kind, s, series in _all_series(entropy, rank, logit, alive[number], objects, first[number], min_steps):
                rho[number, KINDS.index(kind), s, at] = series.by_image(len(objects.image)).T
                if kind == "cosine":
                    rho[number, KINDS.index("permuted"), s, at] = series.permuted(len(objects.image)).T
                    constant[number, s] = of_constant(series).by_image(len(objects.image))[:, 0]
                if kind in TURNED and regime == "free":
                    found = circular_shift_test(series, len(objects.image), seed=seed)
                    for name in NULLS:
                        nulls[name][number, TURNED.index(kind), s, at] = getattr(found, name)
    coords = {"arm": list(ARMS), "kind": list(KINDS), "turned": list(TURNED), "set": list(SETS), "place": places, "image": objects.image}
    cells = {"rho": (("arm", "kind", "set", "place", "image"), rho), "constant": (("arm", "set", "image"), constant)}
    cells |= {name: (("arm", "turned", "set", "place"), values) for name, values in nulls.items()}
    cells["steps"] = (("arm", "image"), alive.sum(axis=2))
    return xr.Dataset(cells, coords).expand_dims(regime=[regime])


def entropies(arm: xr.Dataset, smoothed: list[int]) -> Float[np.ndarray, "image step place"]:
    """Row entropy, mean over heads, of every layer, then the mean over the smoothed layers."""
    by_layer = arm["row_entropy"].transpose("image", "step", "layer", "head").values.mean(axis=-1, dtype=float)
    return np.concatenate([by_layer, by_layer[:, :, smoothed].mean(axis=-1, keepdims=True)], axis=-1)


def without_first(arm: xr.Dataset, smoothed: list[int]) -> Float[np.ndarray, "image step 1"]:
    """Row entropy without the token that begins the text, mean over heads and the smoothed layers."""
    by_layer = entropy_without_bos(arm).transpose("image", "step", "layer").values.astype(float)
    return by_layer[:, :, smoothed].mean(axis=-1, keepdims=True)


def of_constant(series: Series) -> Series:
    """The same ranks with an entropy that never changes: what the cosine is without any relation."""
    length = np.diff([*series.start, len(series.y)])
    level = np.repeat(1 / np.sqrt(length), length)
    return Series(level[:, None], series.y, series.start, series.image)


def _all_series(
    entropy: Float[np.ndarray, "image step place"],
    rank: Float[np.ndarray, "image step object"],
    logit: Float[np.ndarray, "image step object"],
    alive: Bool[np.ndarray, "image step"],
    objects: Objects,
    first: Int[np.ndarray, "image object"],
    min_steps: int,
) -> Iterator[tuple[str, int, Series]]:
    """Every set in every kind; `permuted` comes out of the cosine's."""
    steps = rank.shape[1]
    classes = dict(zip(CLASSES, objects.classes, strict=True))
    until = {name: members(objects, name, first, steps) for name in SETS if unsaid(name)}
    everywhere = alive[:, :, None] & np.ones(entropy.shape[2], dtype=bool)
    flat = np.log(np.where(rank > 0, rank, np.nan))
    ranks = {"cosine": rank, "plain": rank, "partial": rank, "adjusted": flat, "specific": _level(logit, classes["other"]) - logit}
    level_free = without_profile_by_column(entropy, everywhere)
    whole = [alive[:, :, None] & inside[:, None, :] for inside in classes.values()]
    for kind, y in ranks.items():
        profiled = kind in ("adjusted", "specific")
        x = level_free if profiled else entropy
        # a class is a part of a partition of an image's objects, so one array holds every object less the mean of its own class
        apart = np.select(whole, [without_profile(y, used) for used in whole], np.nan) if profiled else y
        found = every_step(x, np.where(np.isfinite(apart), apart, 0.0), alive, classes, kind)
        for name in CLASSES:
            if (kind, name) != ("specific", "other"):  # they are what the others are compared with
                yield kind, SETS.index(name), found[name]
        for name in AT_RISK:
            inside = until[f"{name} unsaid"] & alive[:, :, None]
            apart = without_profile(y, inside) if profiled else y
            yield kind, SETS.index(f"{name} unsaid"), until_said(x, apart, alive, inside, kind, min_steps)


def _level(values: Float[np.ndarray, "image step object"], chosen: Bool[np.ndarray, "image object"]) -> np.ndarray:
    """Mean over an image's chosen objects at each step."""
    known = chosen[:, None, :] & np.isfinite(values)
    count = known.sum(axis=2, keepdims=True)
    return np.where(known, values, 0.0).sum(axis=2, keepdims=True) / np.where(count > 0, count, np.nan)


def without_profile_by_column(
    values: Float[np.ndarray, "image step place"], used: Bool[np.ndarray, "image step place"]
) -> Float[np.ndarray, "image step place"]:
    """`without_profile` of each place alone."""
    return np.concatenate([without_profile(values[..., p : p + 1], used[..., p : p + 1]) for p in range(values.shape[2])], axis=2)
