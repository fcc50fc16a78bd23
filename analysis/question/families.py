"""Columns that are tested together -> rows: ratios of sums over images, cluster intervals, sign flips, max-T over the columns.

A mean is the ratio whose denominator counts images. The hypothesis "ratio = null" says that `top - null x bottom` has mean zero over
images, and its signs are what is flipped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from jaxtyping import Float

from analysis.stats.bootstrap import cluster_bca, ratio
from analysis.stats.multiplicity import adjust, family_size
from analysis.stats.paired import sign_flip, untestable
from analysis.stats.rows import Row

SIGN_FLIP = "sign flip over images, two-sided"


@dataclass(frozen=True)
class FamilyColumns:
    """One family of columns; an image whose `top` or `bottom` is NaN does not take part in that column.

    Attributes
    ----------
    names : of the rows, unique within a results file
    top, bottom : "image column"; the estimate is the ratio of their sums
    null : what the test says the ratio is
    role : of all rows; "descriptive" rows are not tested
    where : by row, what it is about
    """

    names: Sequence[str]
    top: Float[np.ndarray, "image column"]
    unit: str
    where: Sequence[Mapping[str, Any]]
    bottom: Float[np.ndarray, "image column"] | None = None
    null: float = 0.0
    role: str = "exploratory"
    family: str = ""
    effect: Sequence[Mapping[str, float]] = field(default_factory=tuple)

    def __post_init__(self):
        if not len(self.names) == len(self.where) == self.top.shape[1]:
            raise ValueError(f"FamilyColumns.names and where must have one entry a column; got {len(self.names)}, {len(self.where)}.")

    @property
    def parts(self) -> tuple[Float[np.ndarray, "image column"], Float[np.ndarray, "image column"]]:
        """Numerators and denominators, zero where an image does not take part."""
        bottom = np.ones_like(self.top) if self.bottom is None else self.bottom
        known = np.isfinite(self.top) & np.isfinite(bottom)
        return np.where(known, self.top, 0.0), np.where(known, bottom, 0.0)

    @property
    def differences(self) -> Float[np.ndarray, "image column"]:
        """What the test says has mean zero; NaN where an image does not take part."""
        return self.top - self.null * (1.0 if self.bottom is None else self.bottom)


def rows_of(families: Sequence[FamilyColumns], *, seed: int = 0, level: float = 0.95) -> list[Row]:
    """A row a column. All families share one bootstrap: the same drawn images for every column, and one drawing instead of many."""
    families = [family for family in families if len(family.names)]
    if not families:
        return []
    parts = [family.parts for family in families]
    top, bottom = (np.concatenate([part[side] for part in parts], axis=1).astype(float) for side in (0, 1))
    interval = cluster_bca(ratio(top, bottom), len(top), level=level, seed=seed)
    made, number = [], 0
    for family in families:
        described = family.role == "descriptive"
        differences = family.differences.astype(float)
        p, corrected = (np.full(len(family.names), np.nan),) * 2 if described else sign_flip(differences, seed=seed)
        size = family_size(corrected)
        for column, name in enumerate(family.names):
            own = differences[:, column][np.isfinite(differences[:, column])]
            why = "" if described else untestable(own)
            spread = own.std(ddof=1) if len(own) > 1 else 0.0
            effect = {} if described or not spread > 0 else {"d_z": float(own.mean() / spread)}
            made.append(
                Row(
                    name=name,
                    estimate=interval.estimate[number],
                    unit=family.unit,
                    n=len(own),
                    interval=(interval.low[number], interval.high[number]),
                    test="" if described else f"{SIGN_FLIP}: {family.null:g}",
                    p=p[column],
                    p_adjusted=corrected[column],
                    adjustment="" if described else f"max-T over {size} {family.family}".strip(),
                    effect=effect | (dict(family.effect[column]) if family.effect else {}),
                    role=family.role,
                    where=dict(family.where[column]),
                    reason=(why if len(own) else "") or interval.reason[number],
                )
            )
            number += 1
    return made


def with_primaries(rows: Sequence[Row], primary: Sequence[str]) -> list[Row]:
    """The rows, those named in advance first, marked primary and corrected by Holm among themselves instead of within their families."""
    found = {row.name: row for row in rows}
    missing = [name for name in primary if name not in found]
    chosen = [found[name] for name in primary if name in found]
    adjusted = adjust(np.array([row.p for row in chosen], dtype=float))
    told = f"Holm over {family_size(adjusted)} primary outcomes" + (f" ({len(missing)} not recorded)" if missing else "")
    first = [replace(row, role="primary", p_adjusted=p, adjustment=told) for row, p in zip(chosen, adjusted, strict=True)]
    return first + [row for row in rows if row.name not in set(primary)]
