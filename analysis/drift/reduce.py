"""Recording -> what the tests and the figures need, small enough to be committed.

Per image: the mean over steps, tau and slope of each quantity, the sample on which everything is tested. Per step: mean over
images with a cluster interval, and the layer x step map. Nothing is kept by token, so nothing can be paired by token later.
"""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from analysis.drift.quantities import DESCRIBED, TRENDS, Quantity, available
from analysis.question.arms import ARMS
from analysis.question.recordings import band
from analysis.stats.bootstrap import LEVEL, cluster_bca, mean
from analysis.stats.finite import finite_mean
from analysis.stats.paired import sign_flip
from analysis.stats.trend import kendall_tau, theil_sen

BIN = 10  # steps a cell of the tested map; one step alone is too noisy, and neighbours are not independent
CURVE_RESAMPLES = 1999
PER_TOKENS = 100  # slopes are given per 100 tokens
RATE_GRID = np.round(np.linspace(0, 1, 101), 2)


def reduce(recordings: Mapping[str, xr.Dataset], *, min_steps: int = 8, seed: int = 0, level: float = LEVEL) -> xr.Dataset:
    """Reduce recordings, one a regime, to one dataset.

    Means and trends run over the steps 1..n that both arms of an image have, so that arms whose texts differ in length are compared
    over the same positions. Step 0 is the prompt's last row, which no arm has touched.

    Parameters
    ----------
    recordings : regime name -> merged recording (arm image step layer ...)
    min_steps : images with fewer steps in either arm are left out, and counted in `excluded`
    seed : of the bootstrap
    level : coverage of the curves' bands
    """
    parts = [_reduce_regime(regime, recording, min_steps, seed, level) for regime, recording in recordings.items()]
    reduced = xr.concat(parts, "regime", join="outer", combine_attrs="drop", data_vars="all", coords="minimal", compat="override")
    attributes = {name: value for recording in recordings.values() for name, value in recording.attrs.items() if name != "regime"}
    reduced.attrs = attributes | {"band": json.dumps(band(recordings)), "min_steps": min_steps, "bin_steps": BIN}
    reduced.attrs["units"] = json.dumps({q.name: q.unit for r in recordings.values() for q in available(r)})
    return _compact(reduced)


def _reduce_regime(regime: str, recording: xr.Dataset, min_steps: int, seed: int, level: float) -> xr.Dataset:
    recording = recording.reindex(arm=list(ARMS), fill_value={name: "" for name, v in recording.items() if v.dtype.kind in "OUT"})
    layers = recording["layer"].values
    in_band = np.isin(layers, band({regime: recording}))
    alive = np.isfinite(recording["n_keys"].transpose("arm", "image", "step", "layer").values).any(axis=-1)
    recorded = alive.any(axis=-1)  # "arm image"
    # an arm that was not recorded for an image must not empty the other's summary; it only leaves nothing to compare
    common = np.where(recorded[:, :, None], alive, True).all(axis=0) & alive.any(axis=0)
    common[:, recording["step"].values < 1] = False
    enough = common.sum(axis=-1) >= min_steps
    used = common & enough[:, None]
    out = xr.Dataset(
        coords={"regime": [regime], "arm": list(ARMS), "image": recording["image"], "step": recording["step"], "layer": layers}
    )
    out["alive"] = (("regime", "arm", "step"), alive.sum(axis=1)[None].astype(np.int32))
    out["steps"] = (("regime", "arm", "image"), alive.sum(axis=-1)[None].astype(np.int32))
    out["steps_used"] = (("regime", "image"), used.sum(axis=-1)[None].astype(np.int32))
    out["excluded"] = (("regime", "image"), (recorded.any(axis=0) & ~enough)[None])
    quantities = [_reduce_quantity(q, recording, used, alive, in_band, seed, level) for q in available(recording)]
    out = xr.merge(
        [
            out,
            xr.concat(quantities, "quantity", join="outer", coords="minimal", compat="override", data_vars="all").expand_dims(
                regime=[regime]
            ),
        ],
        join="outer",
    )
    if "rate" in recording:
        out = out.merge(_rate_distribution(recording["rate"], _clip(recording)).expand_dims(regime=[regime]))
    if "log_probability" in recording:
        values = recording["log_probability"].transpose("arm", "image", "step").values
        out["log_probability"] = (("regime", "arm", "image"), finite_mean(np.where(used, values, np.nan), axis=-1)[None])
    return out


def _reduce_quantity(
    quantity: Quantity, recording: xr.Dataset, used: np.ndarray, alive: np.ndarray, in_band: np.ndarray, seed: int, level: float
) -> xr.Dataset:
    values = quantity.of(recording).transpose("arm", "image", "step", "layer").values.astype(float)
    values = np.where(np.isfinite(values), values, np.nan)
    sample = np.where(used[None, :, :, None], values, np.nan)
    banded = np.where(alive[..., None], values, np.nan)[..., in_band]
    banded = finite_mean(banded, axis=-1)  # "arm image step"
    cells: dict[str, Any] = {
        "mean": (("arm", "image", "layer"), finite_mean(sample, axis=2)),
        "band_mean": (("arm", "image"), finite_mean(np.where(used, banded, np.nan), axis=-1)),
        "map": (("arm", "layer", "step"), finite_mean(values, axis=1).transpose(0, 2, 1)),
    }
    every = [*banded, banded[1] - banded[0]]
    *curves, change = [cluster_bca(mean(one), one.shape[0], level=level, resamples=CURVE_RESAMPLES, seed=seed) for one in every]
    for name, part in (("curve", "estimate"), ("curve_low", "low"), ("curve_high", "high")):
        cells[name] = (("arm", "step"), np.stack([getattr(curve, part) for curve in curves]))
        cells[f"{name}_change"] = (("step",), getattr(change, part))
    cells["change_pairs"] = (("step",), np.isfinite(every[-1]).sum(axis=0).astype(np.int32))
    if quantity.name in TRENDS:
        cells["tau"] = (("arm", "image", "layer"), np.stack([[kendall_tau(image) for image in arm] for arm in sample]))
        series = np.where(used, banded, np.nan)
        cells["band_tau"] = (("arm", "image"), np.stack([kendall_tau(arm.T) for arm in series]))
        for when, steps in {"": used, "_early": _half(used, 0), "_late": _half(used, 1)}.items():
            within = np.where(steps, series, np.nan)
            cells[f"band_slope{when}"] = (("arm", "image"), PER_TOKENS * np.stack([theil_sen(arm.T) for arm in within]))
    if quantity.name not in DESCRIBED:
        tested = _map_cells(values, recording["step"].values, seed)
        cells |= {name: (("layer", "bin"), part) for name, part in zip(("map_change", "map_p"), tested, strict=True)}
        compared = np.isfinite(values).any(axis=(0, 1, 2))  # a layer without any value is a layer that the quantity does not have
        # step 0 is left out: it has no previous step to drift from
        cells["missing"] = ((), int((~np.isfinite(values[..., compared]) & alive[..., None])[:, :, recording["step"].values >= 1].sum()))
    out = xr.Dataset(cells, coords={"arm": list(ARMS), "image": recording["image"], "step": recording["step"], "layer": recording["layer"]})
    if "map_p" in out:
        out = out.assign_coords(bin=1 + BIN * np.arange(out.sizes["bin"]))
    return out.expand_dims(quantity=[quantity.name])


def _half(used: np.ndarray, which: int) -> np.ndarray:
    """The first (0) or second (1) half of the steps that each image uses, "image step": a curve that falls and rises has no one slope."""
    number, many = np.cumsum(used, axis=-1), used.sum(axis=-1, keepdims=True)
    return used & ((number > many / 2) if which else (number <= many / 2))


def _map_cells(values: np.ndarray, step: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Mean difference of each cell (layer, bin of steps), and its corrected p: max-T over all cells, sign flips over images."""
    difference = values[1] - values[0]  # "image step layer"; NaN where either text has ended
    bins = (step - 1) // BIN
    count = max(int(bins.max()) + 1, 1)
    cells = np.stack([finite_mean(difference[:, bins == b], axis=1) for b in range(count)], axis=-1)  # "image layer bin"
    images, layers, _ = cells.shape
    return finite_mean(cells, axis=0), sign_flip(cells.reshape(images, -1), seed=seed)[1].reshape(layers, count)


def _clip(recording: xr.Dataset) -> tuple[float, float] | None:
    """The lowest and highest rate that the arm's options admit; None where the attributes do not tell."""
    try:
        options = json.loads(recording.attrs["config"])["arms"][ARMS[1]]
        return max(0.0, options["lambda_ref"] - options["margin"]), min(1.0, options["lambda_ref"] + options["margin"])
    except (KeyError, TypeError, ValueError):
        return None


def _rate_distribution(rate: xr.DataArray, clip: tuple[float, float] | None) -> xr.Dataset:
    """Share of rates at or below each grid value, and the shares of an image's rates on the lower and upper clip."""
    smoothed = rate.sel(arm=ARMS[1]).transpose("image", "step", "layer").values
    known = np.isfinite(smoothed)
    layer = np.where(known.any(axis=(0, 1)), known.sum(axis=(0, 1)), np.nan)
    below = np.stack([((smoothed <= value + 1e-6) & known).sum(axis=(0, 1)) / layer for value in RATE_GRID], axis=-1)
    out = xr.Dataset({"rate_ecdf": (("layer", "rate"), below)}, coords={"layer": rate["layer"], "rate": RATE_GRID})
    if not known.any():
        return out  # no rate anywhere: an arm that does not smooth
    floor, ceiling = clip or (np.nanmin(smoothed), np.nanmax(smoothed))
    for name, hit in (("share_floor", smoothed <= floor + 1e-6), ("share_ceiling", smoothed >= ceiling - 1e-6)):
        out[name] = (("image", "layer"), finite_mean(np.where(known, hit, np.nan), axis=1))
    out = out.assign(rate_floor=float(floor), rate_ceiling=float(ceiling))
    return out.assign_coords(image=rate["image"])


def _compact(reduced: xr.Dataset) -> xr.Dataset:
    for name, values in reduced.data_vars.items():
        if values.dtype == np.float64:
            reduced[name] = values.astype(np.float32)
    return reduced
