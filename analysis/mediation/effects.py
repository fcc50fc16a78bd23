"""Per-image means of every world -> effects, tests and rows of the results file."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import xarray as xr
from jaxtyping import Float

from analysis.mediation.names import METHOD, WORLDS
from analysis.mediation.outcomes import OUTCOMES, UNIT
from analysis.stats.bootstrap import cluster_bca, mean
from analysis.stats.multiplicity import adjust, family_size
from analysis.stats.paired import compare
from analysis.stats.rows import Row

# weights of the worlds; the first is the sum of the next three
EFFECTS = {
    "total": {"11": 1, "00": -1},
    "direct": {"10": 1, "00": -1},
    "indirect": {"01": 1, "00": -1},
    "interaction": {"11": 1, "10": -1, "01": -1, "00": 1},
    "visual_mass": {"11": 1, "clamped": -1},
}
PRIMARY_ARM, PRIMARY_OUTCOME = METHOD, "margin"
PRIMARY = ("total", "direct", "indirect")
SIGN_FLIP = "sign-flip permutation of the mean, two-sided"


def results(data: xr.Dataset, *, seed: int = 0, level: float = 0.95) -> list[Row]:
    """Levels of every world, effects of each arm, and what the method's effects have beyond each control's."""
    arms = [str(arm) for arm in data["arm"].values]
    columns = [(outcome, effect) for outcome in OUTCOMES for effect in EFFECTS]
    by_arm = {arm: np.stack([effect_of(data, arm, *column) for column in columns], axis=1) for arm in arms}
    rows = [row for arm in arms for row in _effect_rows(by_arm[arm], columns, arm, seed, level)]
    for control in arms[1:]:
        rows += _effect_rows(by_arm[METHOD] - by_arm[control], columns, f"{METHOD} - {control}", seed, level)
    return _with_primaries(rows) + list(_levels(data, seed, level))


def effect_of(data: xr.Dataset, arm: str, outcome: str, effect: str) -> Float[np.ndarray, " image"]:
    """One effect on one outcome in every image, nat; NaN where the outcome has no value."""
    means = data["outcome_mean"].sel(arm=arm, outcome=outcome).transpose("world", "image").astype(float)
    return np.asarray(sum(weight * means.sel(world=world).values for world, weight in EFFECTS[effect].items()))


def _effect_rows(values: np.ndarray, columns: list[tuple[str, str]], arm: str, seed: int, level: float) -> list[Row]:
    family = np.array([not _is_primary(arm, *column) for column in columns])
    paired = compare(values, np.zeros_like(values), family, seed=seed)
    p_holm = adjust(np.where(family, paired.p_sign_flip, np.nan), "holm")
    interval = cluster_bca(mean(values), len(values), level=level, seed=seed)
    estimates = dict(zip(columns, interval.estimate, strict=True))
    rows = []
    for i, (outcome, effect) in enumerate(columns):
        total = estimates[outcome, "total"]
        sizes = {"median": paired.median[i], "d_z": paired.d_z[i], "hodges_lehmann": paired.hodges_lehmann[i]}
        sizes |= {"p_wilcoxon": paired.p_wilcoxon[i], "p_holm": p_holm[i]}
        if effect != "total" and " - " not in arm:
            sizes["share_of_total"] = interval.estimate[i] / total if total else np.nan
        rows.append(
            Row(
                name=f"{arm}/{outcome}/{effect}",
                estimate=interval.estimate[i],
                unit=UNIT,
                n=int(paired.n[i]),
                interval=(interval.low[i], interval.high[i]),
                test=SIGN_FLIP,
                p=paired.p_sign_flip[i],
                p_adjusted=paired.p_max_t[i],
                adjustment=f"max-T over {family_size(paired.p_sign_flip[family])} effects of {arm}",
                effect=sizes,
                where={"contrast": arm, "quantity": outcome, "statistic": effect},
                reason=paired.reason[i] or interval.reason[i],
            )
        )
    return rows


def _is_primary(arm: str, outcome: str, effect: str) -> bool:
    return (arm, outcome) == (PRIMARY_ARM, PRIMARY_OUTCOME) and effect in PRIMARY


def _with_primaries(rows: list[Row]) -> list[Row]:
    """The primary rows first, corrected by Holm over themselves."""
    names = [f"{PRIMARY_ARM}/{PRIMARY_OUTCOME}/{effect}" for effect in PRIMARY]
    primary = [next(row for row in rows if row.name == name) for name in names]
    p = adjust(np.array([row.p for row in primary]), "holm")
    told = f"Holm over {family_size(p)} primary effects"
    first = [replace(row, role="primary", p_adjusted=p[i], adjustment=told) for i, row in enumerate(primary)]
    return first + [row for row in rows if row.name not in names]


def _levels(data: xr.Dataset, seed: int, level: float) -> Iterator[Row]:
    """Mean over images of each outcome in each world, not tested."""
    columns = [(str(arm), outcome, world) for arm in data["arm"].values for outcome in OUTCOMES for world in WORLDS]
    means = data["outcome_mean"].astype(float)
    values = np.stack([means.sel(arm=arm, outcome=outcome, world=world).values for arm, outcome, world in columns], axis=1)
    interval = cluster_bca(mean(values), len(values), level=level, seed=seed)
    for i, (arm, outcome, world) in enumerate(columns):
        yield Row(
            name=f"level/{arm}/{outcome}/{world}",
            estimate=interval.estimate[i],
            unit=UNIT,
            n=int(np.isfinite(values[:, i]).sum()),
            interval=(interval.low[i], interval.high[i]),
            role="descriptive",
            where={"contrast": arm, "quantity": outcome, "statistic": "mean", "world": world},
            reason=interval.reason[i],
        )
