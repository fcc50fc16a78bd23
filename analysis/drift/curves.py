"""The numbers that the drift figures draw and that are no rows: curves over steps, layer x step maps, distributions of the rates."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from analysis.drift.panels import MAPS, curve
from analysis.question.arms import CONTRAST, CONTROL, TREATED


def curves(reduced: xr.Dataset) -> Iterator[dict[str, Any]]:
    """Lines over steps with their bands: mean, limits and images at each step."""
    for regime in reduced["regime"].values:
        for quantity in reduced["quantity"].values:
            for arm in reduced["arm"].values:
                drawn = str(quantity).startswith(("entropy", "mass", "dilution", "excess", "drift")) and quantity != "entropy_share"
                found = curve(reduced, regime, arm, quantity) if drawn else None
                if found:
                    last = int(np.flatnonzero(found["at_risk"] > 0)[-1]) + 1
                    line = {"n" if name == "at_risk" else name: values[1:last] for name, values in found.items() if name != "step"}
                    yield {"regime": str(regime), "quantity": str(quantity), "arm": str(arm), "first_step": 1, **line}
            if str(quantity).startswith("drift"):
                yield from _change(reduced.sel(regime=regime, quantity=quantity), str(regime), str(quantity))


def _change(data: xr.Dataset, regime: str, quantity: str) -> Iterator[dict[str, Any]]:
    """The paired difference of the arms over steps, with its band and the number of pairs."""
    pairs = np.nan_to_num(data["change_pairs"].values).astype(int)
    known = np.flatnonzero(pairs > 0)
    if len(known) and known[-1] >= 1:
        last = int(known[-1]) + 1
        parts = {"mean": "curve_change", "low": "curve_low_change", "high": "curve_high_change"}
        line = {name: data[part].values[1:last] for name, part in parts.items()}
        yield {"regime": regime, "quantity": quantity, "arm": CONTRAST, "first_step": 1, **line, "n": pairs[1:last]}


def map_cells(reduced: xr.Dataset) -> Iterator[dict[str, Any]]:
    """Tested cells of the maps, one a layer and bin of steps: mean difference over images, and the corrected p that outlines it."""
    if "map_change" not in reduced:
        return
    starts, final = reduced["bin"].values, int(reduced["step"].values[-1])
    ends = np.minimum(starts + int(reduced.attrs["bin_steps"]) - 1, final)
    for regime, quantity, data in _maps(reduced):
        estimate, p = (data[name].transpose("layer", "bin").values for name in ("map_change", "map_p"))
        for i, b in np.argwhere(np.isfinite(estimate)):
            place = {"layer": int(data["layer"].values[i]), "first_step": int(starts[b]), "last_step": int(ends[b])}
            yield {"regime": regime, "quantity": quantity, **place, "estimate": estimate[i, b], "p_adjusted": p[i, b]}


def map_steps(reduced: xr.Dataset) -> Iterator[dict[str, Any]]:
    """Colours of the maps, one line a layer: difference of the arms' means at each step from 0 on."""
    for regime, quantity, data in _maps(reduced):
        change = (data["map"].sel(arm=TREATED) - data["map"].sel(arm=CONTROL)).transpose("layer", "step").values
        for layer, values in zip(data["layer"].values, change, strict=True):
            known = np.flatnonzero(np.isfinite(values))
            if len(known):
                place = {"regime": regime, "quantity": quantity, "layer": int(layer), "first_step": int(data["step"].values[0])}
                yield {**place, "estimate": values[: known[-1] + 1]}


def rates(reduced: xr.Dataset) -> Iterator[dict[str, Any]]:
    """Distribution of the smoothing rates, one line a layer: share of steps with a rate at or below each value; and the clips."""
    if "rate_ecdf" not in reduced:
        return
    for regime in reduced["regime"].values:
        data = reduced.sel(regime=regime)
        clips = {name: float(data[f"rate_{name}"]) if f"rate_{name}" in data else np.nan for name in ("floor", "ceiling")}
        for layer, below in zip(data["layer"].values, data["rate_ecdf"].transpose("layer", "rate").values, strict=True):
            if np.isfinite(below).all():
                yield {"regime": str(regime), "layer": int(layer), **clips, "rate": data["rate"].values, "share_at_or_below": below}


def _maps(reduced: xr.Dataset) -> Iterator[tuple[str, str, xr.Dataset]]:
    for regime in reduced["regime"].values:
        for quantity in MAPS:
            if quantity in reduced["quantity"].values:
                yield str(regime), quantity, reduced.sel(regime=regime, quantity=quantity)
