"""Reduced data -> rows: each arm against no smoothing and KVSmooth against each control, paired by image.

Primary: both parts of the signature in every arm, all together by max-T, since one sentence says which arms have it.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xarray as xr
from jaxtyping import Float

from analysis.cells.names import BASELINE, PAPER
from analysis.mechanism.measures import MEASURES, SIGNATURE
from analysis.question.families import FamilyColumns, rows_of
from analysis.stats.rows import Row

Values = Float[np.ndarray, "image arm measure"]


def results(reduced: xr.Dataset, *, seed: int = 0, level: float = 0.95) -> list[Row]:
    """Rows "<arm>/<measure>", "<arm> - baseline/<measure>" and "kvsmooth - <control>/<measure>"."""
    arms, names = ([str(one) for one in reduced[axis].values] for axis in ("arm", "name"))
    values = reduced["measure"].transpose("image", "arm", "name").values.astype(float)
    # an image of too short a text, or without such objects, has no number in any arm: texts are the same
    values = np.where(np.isfinite(values).all(1, keepdims=True), values, np.nan)
    base, paper = arms.index(BASELINE), arms.index(PAPER)
    against = [(i, base) for i in range(len(arms)) if i != base]
    controls = [(paper, i) for i in range(len(arms)) if i not in (base, paper)]
    families = [
        _levels(values, arms, names),
        *_changes(values, arms, names, against, "against no smoothing", "primary"),
        *_changes(values, arms, names, controls, "KVSmooth against controls", "exploratory"),
    ]
    return [replace(row, unit=MEASURES[row.where["measure"]].unit) for row in rows_of(families, seed=seed, level=level)]


def _levels(values: Values, arms: Sequence[str], names: Sequence[str]) -> FamilyColumns:
    where = [{"arm": arm, "measure": name} for arm in arms for name in names]
    rows = [f"{one['arm']}/{one['measure']}" for one in where]
    return FamilyColumns(rows, values.reshape(len(values), -1), "", where, role="descriptive")


def _changes(
    values: Values, arms: Sequence[str], names: Sequence[str], pairs: Sequence[tuple[int, int]], family: str, role: str
) -> list[FamilyColumns]:
    """Both parts of the signature in all pairs together; each other measure over its pairs."""
    groups = [[name for name in names if name in SIGNATURE], *([name] for name in names if name not in SIGNATURE)]
    made = []
    for group in groups if pairs else []:
        cells = [(i, j, name) for i, j in pairs for name in group]
        columns = [names.index(name) for _, _, name in cells]
        made.append(
            FamilyColumns(
                [f"{arms[i]} - {arms[j]}/{name}" for i, j, name in cells],
                np.stack([values[:, i, at] - values[:, j, at] for (i, j, _), at in zip(cells, columns, strict=True)], 1),
                "",
                [{"treated": arms[i], "control": arms[j], "measure": name} for i, j, name in cells],
                role=role if group[0] in SIGNATURE else "exploratory",
                family=family,
                effect=[{arms[j]: _mean(values[:, j, at])} for (_, j, _), at in zip(cells, columns, strict=True)],
            )
        )
    return made


def _mean(column: Float[np.ndarray, " image"]) -> float:
    return float(np.nanmean(column)) if np.isfinite(column).any() else np.nan
