"""Reduced data -> rows: what each arm costs a token, paired by text, and whether guidance by entropy spares what the text needs.

The unit is the text, or the image, where texts are told to be of the same. Primary: the change of NLL from no smoothing in every arm,
corrected by max-T over the arms of a family, and the paper's arm against each arm of the same mean rate. By kind of token and by distance
from a sentence end: described only.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Int

from analysis.cells.classes import CLASSES
from analysis.cells.names import BASELINE, PAPER
from analysis.language.texts import DISTANCES
from analysis.stats.bootstrap import cluster_bca, ratio
from analysis.stats.multiplicity import family_size
from analysis.stats.paired import looked_at, sign_flip
from analysis.stats.rows import Row

Losses = Float[np.ndarray, "arm text token"]


@dataclass(frozen=True)
class Readings:
    """What every arm cost, and to which unit of the statistics each text belongs.

    Attributes
    ----------
    nll : nat; NaN where no smoothed step predicts the token
    unit : number of each text's unit, from 0
    told : what a unit is called
    """

    nll: Losses
    unit: Int[np.ndarray, " text"]
    told: str

    @cached_property
    def scored(self) -> Bool[np.ndarray, "text token"]:
        """Which tokens count."""
        return np.isfinite(self.nll[0])

    def total(self, values: Any, part: Any = True) -> Float[np.ndarray, " unit"]:
        """Sums over the scored tokens of each unit, of those in `part`."""
        texts = np.where(self.scored & part, values, 0.0).sum(1)
        return np.bincount(self.unit, weights=texts)

    def change(self, one: int, other: int) -> Float[np.ndarray, "text token"]:
        """What one arm costs more than another."""
        return self.nll[one] - self.nll[other]


def unit(reduced: xr.Dataset) -> str:
    """What the statistics count: texts, or images where it is told which texts are of the same."""
    return "images" if "image" in reduced.coords else "texts"


def results(reduced: xr.Dataset, *, seed: int = 0, level: float = 0.95) -> list[Row]:
    """All rows: "<arm>/nll", "<arm>/rate", "<arm> - baseline/nll", "kvsmooth - <control>/nll" and the first by kind and by distance."""
    arms = [str(arm) for arm in reduced["arm"].values]
    families = json.loads(reduced.attrs["families"])
    told = unit(reduced)
    units = np.unique(reduced[told[:-1]].values, return_inverse=True)[1]
    read = Readings(reduced["nll"].transpose("arm", "text", "token").values.astype(float), units, told)
    rows = [*_levels(reduced, arms, families, read, level, seed)]
    base, paper = arms.index(BASELINE), arms.index(PAPER)
    for family in dict.fromkeys(families.values()):
        members = [i for i, arm in enumerate(arms) if families[arm] == family and i != base]
        pairs = [(i, base) for i in members]
        rows += _contrasts(arms, pairs, read, family, level, seed)
        if family == "guidance":
            rows += _contrasts(arms, [(paper, i) for i in members], read, "guidance, paper against", level, seed)
    return rows + _parts(reduced, arms, read, level, seed)


def _levels(reduced: xr.Dataset, arms: Sequence[str], families: dict, read: Readings, level: float, seed: int) -> list[Row]:
    count = np.stack([read.total(1.0)] * len(arms), 1)
    total = np.stack([read.total(nll) for nll in read.nll], 1)
    steps = np.stack([read.total(rates[:, None]) for rates in reduced["rate"].transpose("arm", "text").values.astype(float)], 1)
    rows = []
    for measure, of, above in (("nll", "nat a token", total), ("rate", "1", steps)):
        found = cluster_bca(ratio(above, count), len(count), level=level, seed=seed)
        for i, arm in enumerate(arms):
            where = {"arm": arm, "family": families[arm], "measure": measure}
            limits = (found.low[i], found.high[i])
            told: dict[str, Any] = {
                "unit": of,
                "n": len(count),
                "interval": limits,
                "role": "descriptive",
                "where": where,
                "reason": found.reason[i],
            }
            rows.append(Row(name=f"{arm}/{measure}", estimate=found.estimate[i], **told))
    return rows


def _contrasts(arms: Sequence[str], pairs: Sequence[tuple[int, int]], read: Readings, family: str, level: float, seed: int) -> list[Row]:
    if not pairs:
        return []
    change = np.stack([read.total(read.change(i, j)) for i, j in pairs], 1)
    count = np.stack([read.total(1.0)] * len(pairs), 1)
    found = cluster_bca(ratio(change, count), len(change), level=level, seed=seed)
    p, corrected = sign_flip(change, seed=seed)
    told = f"max-T over {family_size(p)} arms of {family}"
    return [
        Row(
            name=f"{arms[i]} - {arms[j]}/nll",
            estimate=found.estimate[k],
            unit="nat a token",
            n=len(change),
            interval=(found.low[k], found.high[k]),
            test=f"sign flip over {read.told}, two-sided, {looked_at(len(change))}",
            p=p[k],
            p_adjusted=corrected[k],
            adjustment=told,
            effect={"perplexity_ratio": float(np.exp(found.estimate[k]))},
            role="primary",
            where={"family": family, "treated": arms[i], "control": arms[j], "measure": "nll"},
            reason=found.reason[k],
        )
        for k, (i, j) in enumerate(pairs)
    ]


def _parts(reduced: xr.Dataset, arms: Sequence[str], read: Readings, level: float, seed: int) -> list[Row]:
    """Of the paper's arm and of the constant of its mean: the change by kind of token and by distance from a sentence end."""
    parts = {f"kind/{name}": reduced["kind"].values == i for i, name in enumerate(CLASSES) if name != "special"}
    parts |= {f"distance/{name}": reduced["distance"].values == i for i, name in enumerate(DISTANCES)}
    base, rows = arms.index(BASELINE), []
    for arm in (PAPER, "mean"):
        if arm not in arms:
            continue
        change = read.change(arms.index(arm), base)
        above = np.stack([read.total(change, part) for part in parts.values()], 1)
        below = np.stack([read.total(1.0, part) for part in parts.values()], 1)
        found = cluster_bca(ratio(above, below), len(above), level=level, seed=seed)
        for k, name in enumerate(parts):
            where = {"treated": arm, "control": BASELINE, "measure": "nll", "part": name}
            limits = (found.low[k], found.high[k])
            told: dict[str, Any] = {
                "unit": "nat a token",
                "n": int((below[:, k] > 0).sum()),
                "interval": limits,
                "role": "descriptive",
                "where": where,
            }
            effect = {"perplexity_ratio": float(np.exp(found.estimate[k])), "tokens": float(below[:, k].sum())}
            rows.append(
                Row(name=f"{arm} - {BASELINE}/nll/{name}", estimate=found.estimate[k], reason=found.reason[k], effect=effect, **told)
            )
    return rows
