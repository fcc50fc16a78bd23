"""Reduced data -> rows: each arm's measures, and its changes from none, tested by exchange of the arms within scenes.

Beside it the distance of each arm to what leaving out of the captions without a method would give (`analysis.omission`), by max-T.
Primary: the share of absent ones among different objects, and recall; they are corrected together by Holm over the arms, the others apart.
"""

from typing import Any

import numpy as np
import xarray as xr

from analysis.captions.caption_measure import ratios_of, units_of, weights_of
from analysis.captions.measures import interval_of
from analysis.captions.rows import change_rows, exchange_p, level_rows, told
from analysis.form.measures import COUNTS, MEASURES, PRIMARY
from analysis.omission.distance import distance_rows
from analysis.omission.line import COUNTS as SAID
from analysis.omission.stored import lines_of
from analysis.stats.exchange import exchange_test
from analysis.stats.multiplicity import adjust, family_size
from analysis.stats.rows import Row

OF_LINES = {"mentions": "places", "hallucinated": "absent"}
"""Counts that the omission lines call otherwise."""
TESTED = tuple(name for name, measure in MEASURES.items() if measure.tested)


def results(reduced: xr.Dataset, *, seed: int = 0, level: float = 0.95) -> list[Row]:
    """Rows "<measure>/<arm>", "<measure>/<arm> - none" and "<arm>/beyond every line/<measure>"."""
    counts = reduced["counts"].transpose("arm", "image", "count").values.astype(float)
    arms = [str(arm) for arm in reduced["arm"].values]
    levels = level_rows(interval_of(counts, _ratios, seed, level), arms, units_of(MEASURES), counts.shape[1], _named)
    said = {arm: counts[i][:, [COUNTS.index(OF_LINES.get(name, name)) for name in SAID]] for i, arm in enumerate(arms)}
    lines = lines_of(reduced)
    apart = distance_rows({arm: (said[arm], lines) for arm in arms[1:]}, level=level, seed=seed)
    return levels + _changes(arms, counts, seed, level) + apart


def _ratios(total: np.ndarray) -> np.ndarray:
    return ratios_of(total, COUNTS, MEASURES)


def _named(measure: str, arm: str, control: str | None = None) -> tuple[str, dict[str, Any]]:
    whose = {"arm": arm} if control is None else {"treated": arm, "control": control}
    return f"{measure}/{told(arm, control)}", {**whose, "measure": measure}


def _changes(arms: list[str], counts: np.ndarray, seed: int, level: float) -> list[Row]:
    at = [list(MEASURES).index(name) for name in TESTED]
    found = interval_of(counts, lambda total: (_ratios(total)[..., 1:, :] - _ratios(total)[..., :1, :])[..., at], seed, level)
    above, below = (counts @ weights_of(part, COUNTS, MEASURES)[:, at] for part in ("above", "below"))
    p = exchange_p(above, below, seed)
    named = np.array([name in PRIMARY for name in TESTED])
    corrected, adjustment = np.empty_like(p), {}
    for which, kind in ((named, "primary"), (~named, "other")):
        corrected[:, which] = adjust(p[:, which].ravel()).reshape(p[:, which].shape)
        adjustment[kind] = f"Holm over {family_size(p[:, which].ravel())} {kind} tests"
    test = exchange_test(counts.shape[1], within="scenes")

    def tested(i: int, k: int) -> dict[str, Any]:
        kind, role = ("primary", "primary") if named[k] else ("other", "exploratory")
        return {"test": test, "p": p[i, k], "p_adjusted": corrected[i, k], "adjustment": adjustment[kind], "role": role}

    units = {name: MEASURES[name].unit for name in TESTED}
    return change_rows(found, arms, units, counts.shape[1], _named, tested)
