"""Time to the first hallucinated mention, in tokens and in objects named; the end of the caption competes with it.

Tokens say when; but an arm that writes shorter captions, or names fewer objects, errs less by saying less. Counted in objects named for the
first time, every mention is one chance to err, so that the arms' hazards compare what is said, not how much.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Int

from analysis.question.arms import ARMS, CONTRAST
from analysis.stats.lifetable import CENSORED, END, EVENT, MISSING
from analysis.stats.multiplicity import adjust, family_size
from analysis.stats.rows import Row
from analysis.stats.survival import Survival, hazard_ratio, split_hazard_ratio, survival

RESAMPLES = 1999
CLOCKS = {"tokens": "tokens", "mentions": "objects named"}
STILL_WRITING = 0.1
"""The clock stops where fewer captions than this share of either arm are still being written: beyond, few captions decide."""
EARLY = 5
"""Objects named: where the ratio of hazards may change, so that two are told beside the one over all."""
_TEST = "permutation that exchanges the arms within images, two-sided: 0"


@dataclass(frozen=True)
class Times:
    """When each caption had its first hallucinated mention, or ended, by one clock."""

    time: Int[np.ndarray, "image arm"]
    kind: Int[np.ndarray, "image arm"]
    horizon: int


def times(data: xr.Dataset) -> dict[str, Times]:
    """By clock; empty where no arm has a caption. A caption cut off at the longest length is lost from view, it did not end."""
    steps, first, cut = (data[name].transpose("image", "arm").values.astype(int) for name in ("n_steps", "first_absent", "cut"))
    there = steps > 0
    if not there.any():
        return {}
    ended = np.where(cut > 0, CENSORED, END)
    kind = np.where(there, np.where(first >= 0, EVENT, ended), MISSING)
    named = np.zeros(steps.shape, dtype=int)
    at = np.full(steps.shape, -1)
    mentions = {name: data[name].values.astype(int) for name in ("image_index", "arm_index", "ordinal", "absent")}
    place = mentions["image_index"], mentions["arm_index"]
    np.add.at(named, place, 1)
    for image, arm, ordinal in zip(*(values[mentions["absent"] > 0] for values in (*place, mentions["ordinal"])), strict=True):
        at[image, arm] = ordinal if at[image, arm] < 0 else min(at[image, arm], ordinal)
    clocks = {"tokens": np.where(first >= 0, first + 1, np.maximum(steps, 1)), "mentions": np.where(at >= 0, at + 1, named + 1)}
    length = {"tokens": steps, "mentions": named + 1}
    return {
        name: Times(clock, kind, max(1, min(int(np.quantile(length[name][there[:, arm], arm], 1 - STILL_WRITING)) for arm in _arms(there))))
        for name, clock in clocks.items()
    }


def timing(data: xr.Dataset, *, seed: int = 0, level: float = 0.95) -> tuple[list[Row], list[dict[str, Any]]]:
    """Rows and curves by tokens and by objects named.

    Rows: restricted means free of a hallucinated mention, its incidence, and, by objects named, the ratio of the arms' hazards. Curves:
    cumulative incidence and Kaplan-Meier of each arm, with bands and numbers at risk.
    """
    rows, curves = [], []
    for clock, found in times(data).items():
        fitted = survival(found.time, found.kind, horizon=found.horizon, resamples=RESAMPLES, seed=seed, level=level)
        rows += list(_rows(clock, found, fitted))
        curves += list(_curves(clock, found, fitted))
        if clock == "mentions":  # the sandwich of so many tokens a caption takes minutes
            rows += [_ratio(clock, found, level), *_split(clock, found, level)]
    return _corrected(rows), curves


def _corrected(rows: list[Row]) -> list[Row]:
    """Comparisons of the arms, by either clock, corrected together."""
    adjusted = adjust(np.array([row.p for row in rows], dtype=float))
    words = f"Holm over {family_size(adjusted)} comparisons of times"
    return [replace(row, p_adjusted=p, adjustment=words) if row.test else row for row, p in zip(rows, adjusted, strict=True)]


def _curves(clock: str, found: Times, fitted: Survival) -> Iterator[dict[str, Any]]:
    for name in ("incidence", "survival"):
        band = fitted.curves[name]
        for number, arm in enumerate(ARMS):
            part = {key: getattr(band, key)[number] for key in ("estimate", "low", "high")}
            about = {"clock": clock, "curve": name, "arm": arm, "time": np.arange(1, found.horizon + 1)}
            yield about | part | {"at_risk": fitted.table.at_risk[number].astype(int)}


def _ratio(clock: str, found: Times, level: float) -> Row:
    model, (effect, *_) = hazard_ratio(found.time, found.kind, level=level)
    ratio, low, high = effect.ratio("unit")
    return Row(
        name=_name(clock, "hazard ratio", CONTRAST),
        estimate=ratio,
        unit="1",
        n=model.n_images,
        interval=(low, high),
        test="discrete-time hazard, cloglog GEE, two-sided: 1",
        p=effect.p,
        effect={"events": float(model.n_events)},
        where={"quantity": "hazard ratio", "contrast": CONTRAST, "clock": clock},
        reason=model.reason,
    )


def _split(clock: str, found: Times, level: float) -> Iterator[Row]:
    """The ratio of hazards up to `EARLY` objects named and beyond, and their ratio: whether one number may stand for both."""
    fitted = split_hazard_ratio(found.time, found.kind, EARLY, level=level)
    parts = {f"first {EARLY}": fitted.early, f"after {EARLY}": fitted.late, "late over early": fitted.change}
    for part, effect in parts.items():
        ratio, low, high = effect.ratio("unit")
        quantity = f"hazard ratio, {part},"
        yield Row(
            name=_name(clock, quantity, CONTRAST),
            estimate=ratio,
            unit="1",
            n=fitted.model.n_images,
            interval=(low, high),
            test="discrete-time hazard, cloglog GEE, two-sided: 1",
            p=effect.p,
            effect={"events": float(fitted.model.n_events)},
            where={"quantity": quantity, "contrast": CONTRAST, "clock": clock},
            reason=fitted.model.reason,
        )


def _rows(clock: str, found: Times, fitted: Survival) -> Iterator[Row]:
    words: Mapping[str, tuple[str, str]] = {"mean_free": ("restricted mean", CLOCKS[clock]), "incidence": ("incidence", "1")}
    for key, (name, unit) in words.items():
        for number, arm in enumerate(ARMS):
            if key == "mean_free":
                limits = fitted.means[key][number]
            else:
                band = fitted.curves[key]
                limits = band.estimate[number, -1], band.low[number, -1], band.high[number, -1]
            yield Row(
                name=_name(clock, name, arm),
                estimate=limits[0],
                unit=unit,
                n=int((found.kind[:, number] != MISSING).sum()),
                interval=(limits[1], limits[2]),
                role="descriptive",
                effect={"horizon": float(found.horizon), "events": float(fitted.table.events[number].sum())},
                where={"quantity": name, "contrast": arm, "clock": clock},
                reason="" if np.isfinite(limits[1]) else "no limits",
            )
        for contrast in fitted.contrasts:
            one = contrast[key]
            yield Row(
                name=_name(clock, name, CONTRAST),
                estimate=one.estimate,
                unit=unit,
                n=one.n_images,
                interval=(one.low, one.high),
                test=_TEST,
                p=one.p,
                effect={"horizon": float(found.horizon)},
                where={"quantity": name, "contrast": CONTRAST, "clock": clock},
                reason=one.reason or ("" if np.isfinite(one.p) else "no image differs between the arms"),
            )


def _arms(there: np.ndarray) -> list[int]:
    return [arm for arm in range(there.shape[1]) if there[:, arm].any()]


def _name(clock: str, quantity: str, arm: str) -> str:
    return f"survival/{quantity}/{arm}" if clock == "tokens" else f"survival/{quantity} by {clock}/{arm}"
