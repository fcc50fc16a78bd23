"""Reduced data -> rows: each arm's measures, and its changes from none, tested by exchange of the arms within scenes.

Beside it the distance of each arm to what leaving out of the captions without a method would give (`analysis.omission`), by max-T.
Primary: the share of absent ones among different objects, and recall; they are corrected together by Holm over the arms, the others apart.
"""

import numpy as np
import xarray as xr

from analysis.captions.caption_measure import weights_of
from analysis.captions.measures import interval_of
from analysis.form.measures import COUNTS, MEASURES, PRIMARY
from analysis.omission.distance import distance_rows
from analysis.omission.line import COUNTS as SAID
from analysis.omission.stored import lines_of
from analysis.stats.exchange import exchange_scores, exchange_test
from analysis.stats.multiplicity import adjust, family_size
from analysis.stats.paired import sign_flip
from analysis.stats.rows import Row

OF_LINES = {"mentions": "places", "hallucinated": "absent"}
"""Counts that the omission lines call otherwise."""
TESTED = tuple(name for name, measure in MEASURES.items() if measure.tested)


def results(reduced: xr.Dataset, *, seed: int = 0, level: float = 0.95) -> list[Row]:
    """Rows "<measure>/<arm>", "<measure>/<arm> - none" and "<arm>/beyond every line/<measure>"."""
    counts = reduced["counts"].transpose("arm", "image", "count").values.astype(float)
    arms = [str(arm) for arm in reduced["arm"].values]
    above, below = (weights_of(part, COUNTS, MEASURES) for part in ("above", "below"))

    def ratios(total: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            return (total @ above) / (total @ below)

    found = interval_of(counts, ratios, seed, level)
    rows = []
    for i, arm in enumerate(arms):
        for k, (name, measure) in enumerate(MEASURES.items()):
            at = i * len(MEASURES) + k
            told = {"unit": measure.unit, "n": counts.shape[1], "role": "descriptive", "reason": found.reason[at]}
            where = {"arm": arm, "measure": name}
            rows.append(Row(f"{name}/{arm}", found.estimate[at], interval=(found.low[at], found.high[at]), where=where, **told))
    said = {arm: counts[i][:, [COUNTS.index(OF_LINES.get(name, name)) for name in SAID]] for i, arm in enumerate(arms)}
    lines = lines_of(reduced)
    apart = distance_rows({arm: (said[arm], lines) for arm in arms[1:]}, level=level, seed=seed)
    return rows + _changes(arms, counts, ratios, (above, below), seed, level) + apart


def _changes(arms, counts, ratios, weights, seed: int, level: float) -> list[Row]:
    at = [list(MEASURES).index(name) for name in TESTED]
    found = interval_of(counts, lambda total: (ratios(total)[..., 1:, :] - ratios(total)[..., :1, :])[..., at], seed, level)
    above, below = (counts @ part[:, at] for part in weights)
    scores = np.stack([exchange_scores(above[[i, 0]], below[[i, 0]]) for i in range(1, len(arms))], 1)  # "image arm measure"
    p = sign_flip(scores.reshape(len(scores), -1), seed=seed)[0].reshape(scores.shape[1:])
    named = np.array([name in PRIMARY for name in TESTED])
    corrected = np.empty_like(p)
    for which in (named, ~named):
        corrected[:, which] = adjust(p[:, which].ravel()).reshape(p[:, which].shape)
    rows = []
    for i, arm in enumerate(arms[1:]):
        for k, name in enumerate(TESTED):
            place = i * len(TESTED) + k
            size = family_size(p[:, named if named[k] else ~named].ravel())
            rows.append(
                Row(
                    f"{name}/{arm} - {arms[0]}",
                    found.estimate[place],
                    MEASURES[name].unit,
                    counts.shape[1],
                    (found.low[place], found.high[place]),
                    test=exchange_test(counts.shape[1], within="scenes"),
                    p=p[i, k],
                    p_adjusted=corrected[i, k],
                    adjustment=f"Holm over {size} {'primary' if named[k] else 'other'} tests",
                    role="primary" if named[k] else "exploratory",
                    where={"treated": arm, "control": arms[0], "measure": name},
                    reason=found.reason[place],
                )
            )
    return rows
