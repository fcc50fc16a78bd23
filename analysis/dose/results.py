"""Reduced data -> rows: the curve on validation scenes, described; on test scenes the chosen and the published dose against none.

Primary: CHAIR_i of the chosen dose minus none, one test, on confirmation scenes, which no other question shows and which chose nothing.
All else is exploratory, by Holm, doses and controls apart: the test scenes had been seen under many arms. Beside it the distance of each
to what leaving out mentions or sentences would give (`analysis.omission`), by max-T over lines and doses, or controls.
"""

from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from analysis.captions.measures import MEASURES, UNITS, changes, interval_of, ratios, weights
from analysis.captions.rows import change_rows, exchange_p, level_rows, of_split
from analysis.dose.controls import CONTROLS
from analysis.dose.findings import CHOSEN, NONE
from analysis.dose.grammar import grammar_rows
from analysis.language.paired import fluency_rows
from analysis.omission.distance import distance_rows
from analysis.omission.line import COUNTS as SAID
from analysis.omission.stored import lines_of
from analysis.stats.bootstrap import cluster_bca, mean
from analysis.stats.exchange import exchange_test
from analysis.stats.multiplicity import adjust, family_size
from analysis.stats.rows import Row

CONFIRMED = "chair_i"
Counts = Float[np.ndarray, "arm image count"]


def results(reduced: xr.Dataset, *, seed: int = 0, level: float = 0.95) -> list[Row]:
    """All rows: "validation/<measure>/<dose>", "test/<measure>/<arm>", "test/<measure>/<arm> - none", and those of "confirmation"."""
    validation = reduced["validation"].transpose("dose", "scene", "count").values.astype(float)
    doses, names = [f"{dose:g}" for dose in reduced["dose"].values], [str(arm) for arm in reduced["arm"].values]
    rows = _levels("validation", doses, validation, seed, level) + _broken(reduced, doses, seed, level)
    if "confirmation" in reduced:
        fresh = reduced["confirmation"].transpose("confirmed", "fresh", "count").values.astype(float)
        rows += _levels("confirmation", [NONE, CHOSEN], fresh, seed, level) + _changes("confirmation", [NONE, CHOSEN], fresh, seed, level)
    for arms in ([name for name in names if name not in CONTROLS], [names[0], *(name for name in names if name in CONTROLS)]):
        known = {row.name for row in rows}  # none stands beside both, with the same numbers
        rows += [row for row in _tested(reduced.sel(arm=arms), arms, seed, level) if row.name not in known]
    return rows


def _tested(reduced: xr.Dataset, arms: list[str], seed: int, level: float) -> list[Row]:
    """Arms on the test scenes, the first of which is none."""
    test = reduced["test"].transpose("arm", "image", "count").values.astype(float)
    rows = _levels("test", arms, test, seed, level) + _changes("test", arms, test, seed, level) + grammar_rows(reduced, seed, level)
    fluent = fluency_rows(reduced, arms, seed, level) if "nll" in reduced else []
    return rows + fluent + (_omission(reduced, arms, seed, level) if len(arms) > 1 else [])


def _broken(reduced: xr.Dataset, doses: list[str], seed: int, level: float) -> list[Row]:
    """The share of broken captions at each dose whose validation captions were read."""
    rows = []
    values = reduced["validation_broken"].transpose("dose", "scene").values if "validation_broken" in reduced else np.zeros((0, 0))
    for dose, own in zip(doses, values, strict=False):
        if (read := own[np.isfinite(own)].astype(float)).size:
            found = cluster_bca(mean(read[:, None]), len(read), level=level, seed=seed)
            rows += level_rows(found, [dose], {"broken": "1"}, len(read), of_split("validation"))
    return rows


def _omission(reduced: xr.Dataset, arms: list[str], seed: int, level: float) -> list[Row]:
    lines = lines_of(reduced)
    counted = {arm: reduced["test"].sel(arm=arm, count=list(SAID)).transpose("image", "count").values.astype(float) for arm in arms[1:]}
    return distance_rows({arm: (counts, lines) for arm, counts in counted.items()}, level=level, seed=seed)


def _levels(split: str, arms: list[str], counts: Counts, seed: int, level: float) -> list[Row]:
    return level_rows(interval_of(counts, ratios, seed, level), arms, UNITS, counts.shape[1], of_split(split))


def _changes(split: str, arms: list[str], counts: Counts, seed: int, level: float) -> list[Row]:
    if len(arms) < 2:
        return []
    p = exchange_p(counts @ weights("above"), counts @ weights("below"), seed)
    confirmed = np.zeros(p.shape, dtype=bool)
    confirmed[0, list(MEASURES).index(CONFIRMED)] = split == "confirmation"
    corrected = np.where(confirmed, p, np.nan)
    corrected[~confirmed] = adjust(p[~confirmed])
    others, test = f"Holm over {family_size(p[~confirmed])} others", exchange_test(counts.shape[1])

    def tested(i: int, k: int) -> dict[str, Any]:
        adjustment, role = ("none: the one confirmatory test", "primary") if confirmed[i, k] else (others, "exploratory")
        return {"test": test, "p": p[i, k], "p_adjusted": corrected[i, k], "adjustment": adjustment, "role": role}

    found = interval_of(counts, changes, seed, level)
    return change_rows(found, arms, UNITS, counts.shape[1], of_split(split), tested)
