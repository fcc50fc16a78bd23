"""Recordings -> logits.nc: slopes by image, and means with bands over steps; nothing by token.

Slopes run over the steps that both arms of an image have. Curves run over each arm's own steps and weigh every object alike, as the
paper's do; their bands draw whole images.
"""

import json
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Int

from analysis.captions.mentions import mention_table
from analysis.logits.slopes import distance_from_mean, own_level_slopes, sums
from analysis.objects.classes import first_mentions
from analysis.objects.names import BIN, CURVES, OUTCOMES, SETS
from analysis.objects.sample import Objects, generated, members, objects_of, shared_steps
from analysis.question.arms import ARMS
from analysis.stats.bootstrap import LEVEL, Statistic, cluster_bca, multiplicity_of_images

CURVE_RESAMPLES = 999
FEWEST = 5
"""Images behind the last point of a curve."""
VARIABLES = ("object_logit", "object_logprob", "object_rank", "logit_mean", "caption", "token_predicted", "piece_predicted", "n_steps")
"""What this question reads of a recording."""


def reduce(
    recordings: Mapping[str, xr.Dataset], annotations: Mapping, *, min_steps: int = 8, seed: int = 0, level: float = LEVEL
) -> xr.Dataset:
    """Reduce recordings, one a regime, "free" among them, to one dataset.

    Parameters
    ----------
    recordings : regime name -> merged recording of both arms
    annotations : in COCO's instances format; images that it does not hold are left out
    min_steps : steps that an image must have in both arms, and an image's set in an arm
    seed, level : of the bands of the curves
    """
    objects = objects_of(recordings["free"], annotations)
    parts = [_regime(name, recording, annotations, objects, min_steps, seed, level) for name, recording in recordings.items()]
    reduced = xr.concat(parts, "regime", join="outer", combine_attrs="drop", data_vars="all", coords="minimal", compat="override")
    reduced["members"] = (("set", "image"), np.stack([members(objects, s, _never(objects), 1)[:, 0].sum(axis=1) for s in SETS]))
    attributes = {name: value for recording in recordings.values() for name, value in recording.attrs.items() if name != "regime"}
    told = {"min_steps": min_steps, "dropped": json.dumps(dict(objects.dropped)), "objects_used": len(objects.name)}
    lost = [int(image) for image in recordings["free"]["image"].values if int(image) not in set(objects.image.tolist())]
    return reduced.assign_attrs({k: v for k, v in attributes.items() if k != "objects"} | told | {"unannotated": json.dumps(lost)})


def _regime(
    regime: str, recording: xr.Dataset, annotations: Mapping, objects: Objects, min_steps: int, seed: int, level: float
) -> xr.Dataset:
    recording = recording.sel(arm=list(ARMS), image=objects.image, object=list(objects.name))
    first = first_mentions(mention_table(recording, annotations), list(ARMS), objects.image, objects.name)
    alive = generated(recording, objects.image)
    common = shared_steps(alive, min_steps)
    size = (len(ARMS), len(OUTCOMES), len(SETS), len(objects.image))
    slope, vocabulary = np.full(size, np.nan), np.full((len(ARMS), len(objects.image)), np.nan)
    curves = []
    for number, arm in enumerate(ARMS):
        one = recording.sel(arm=arm)
        values = outcomes(one, objects)
        steps = one.sizes["step"]
        sets = {name: members(objects, name, first[number], steps) for name in SETS}
        for i, j, series, inside in _series(values, sets):
            slope[number, i, j] = own_level_slopes(series, inside & common[:, :, None], min_steps)
        shift = one["logit_mean"].transpose("image", "step").values.astype(float)[:, :, None]
        vocabulary[number] = own_level_slopes(shift, common[:, :, None], min_steps)
        curves.append(_curves(values, sets, alive[number], seed, level))
    coords = {"arm": list(ARMS), "image": objects.image, "step": _bins(recording.sizes["step"])[:, BIN // 2], "set": list(SETS)}
    coords |= {"outcome": list(OUTCOMES), "curve": list(CURVES)}
    cells = {
        "slope": (("arm", "outcome", "set", "image"), slope),
        "vocabulary_slope": (("arm", "image"), vocabulary),
        "steps": (("arm", "image"), alive.sum(axis=2)),
        "steps_used": (("image",), common.sum(axis=1)),
    }
    for name, dims in (("mean", ("curve", "set", "step")), ("low", ("curve", "set", "step")), ("high", ("curve", "set", "step"))):
        cells[f"curve_{name}"] = (("arm", *dims), np.stack([made[name] for made in curves]))
    for name in ("images", "objects"):
        cells[f"{name}_at_risk"] = (("arm", "set", "step"), np.stack([made[name] for made in curves]))
    made = xr.Dataset(cells, coords).expand_dims(regime=[regime])
    return made.assign({name: made[name].astype(np.float32) for name in made.data_vars if made[name].dtype == np.float64})


def outcomes(arm: xr.Dataset, objects: Objects) -> dict[str, Float[np.ndarray, "image step object"]]:
    """Logit, log-probability and rank as recorded, and the two ways to rid the logit of the shift that its step shares."""
    logit, logprob, rank = (
        arm[name].transpose("image", "step", "object").values.astype(float) for name in ("object_logit", "object_logprob", "object_rank")
    )
    others = objects.classes[-1][:, None, :] & np.isfinite(logit)
    count = others.sum(axis=2, keepdims=True)
    level = np.where(others, logit, 0.0).sum(axis=2, keepdims=True) / np.where(count > 0, count, np.nan)
    centred = logit - arm["logit_mean"].transpose("image", "step").values.astype(float)[:, :, None]
    relative = np.where(objects.classes[-1][:, None, :], np.nan, logit - level)
    return {"logit": logit, "centred": centred, "relative": relative, "logprob": logprob, "rank": rank}


def _series(
    values: Mapping[str, np.ndarray], sets: Mapping[str, np.ndarray]
) -> Iterator[tuple[int, int, Float[np.ndarray, "image step object"], Bool[np.ndarray, "image step object"]]]:
    """Every outcome in every set: their numbers, the values, and where these count."""
    for i, outcome in enumerate(OUTCOMES):
        for j, (_, inside) in enumerate(sets.items()):
            yield i, j, distance_from_mean(values["logit"], inside) if outcome == "variance" else values[outcome], inside


def _curves(
    values: Mapping[str, np.ndarray],
    sets: Mapping[str, np.ndarray],
    alive: Bool[np.ndarray, "image step"],
    seed: int,
    level: float,
) -> dict[str, np.ndarray]:
    """Means (and the variance of the logit) over objects and images, with their bands, and the fewest that a bin's steps have."""
    bins = _bins(alive.shape[1])
    shape = (len(CURVES), len(sets), len(bins))
    made = {name: np.full(shape, np.nan) for name in ("mean", "low", "high")}
    made |= {name: np.zeros(shape[1:], dtype=np.int32) for name in ("images", "objects")}
    for j, inside in enumerate(sets.values()):
        used = inside & alive[:, :, None]
        made["images"][j], made["objects"][j] = used.any(axis=2).sum(axis=0)[bins].min(axis=1), used.sum(axis=(0, 2))[bins].min(axis=1)
        shown = np.flatnonzero(made["images"][j] >= FEWEST)
        if not len(shown):
            continue
        steps = bins[shown].reshape(-1)
        parts = [sums(values["logit" if curve == "variance" else curve][:, steps], used[:, steps]) for curve in CURVES]
        found = cluster_bca(_statistic(parts), len(alive), level=level, resamples=CURVE_RESAMPLES, seed=seed)
        for name, part in (("mean", found.estimate), ("low", found.low), ("high", found.high)):
            made[name][:, j, shown] = part.reshape(len(CURVES), len(shown))
    return made


def _bins(steps: int) -> Int[np.ndarray, "bin step"]:
    """Steps of each point of a curve: 1 to 5, 6 to 10, and so on; a rest is left out."""
    count = max((steps - 1) // BIN, 0)
    return 1 + np.arange(count * BIN).reshape(count, BIN)


def _statistic(parts: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]) -> Statistic:
    """Every curve over the drawn images: mean, or for the variance the mean of the squares less the square of the mean.

    Both are those of each step, averaged over the steps of a bin: what all objects do from step to step is no variance among them.
    """
    stacked = np.concatenate([np.concatenate(part, axis=1) for part in parts], axis=1).astype(float)

    def of(drawn: Int[np.ndarray, "*resample drawn"]) -> Float[np.ndarray, " quantity *resample"]:
        total = multiplicity_of_images(drawn, len(stacked)) @ stacked
        count, value, square = np.moveaxis(total.reshape(*total.shape[:-1], len(CURVES), 3, -1), -2, 0)
        with np.errstate(invalid="ignore", divide="ignore"):
            mean, spread = value / count, square / count - (value / count) ** 2
        chosen = np.where(np.array([curve == "variance" for curve in CURVES])[:, None], spread, mean)
        binned = chosen.reshape(*chosen.shape[:-1], -1, BIN).mean(axis=-1)
        return np.moveaxis(binned.reshape(*binned.shape[:-2], -1), -1, 0)

    return of


def _never(objects: Objects) -> Int[np.ndarray, "image object"]:
    return np.full((len(objects.image), len(objects.name)), np.iinfo(np.int64).max)
