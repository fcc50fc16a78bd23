"""Whether a logistic model has a finite estimate at all: perfect and partial separation by a linear program (Konis 2007).

Where some direction of the covariates never ranks a negative case above a positive one, the likelihood grows along it for ever. A fit then
stops at some large number with some larger standard error, and says nothing of it.
"""

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.optimize import linprog
from scipy.sparse import csr_matrix, hstack

_FOUND = 1e-6


def separated(
    columns: Float[np.ndarray, "case column"], label: Bool[np.ndarray, " case"], group: Int[np.ndarray, " case"] | None = None
) -> bool:
    """True if a combination of the columns is at least t for every positive and at most t for every negative, and not always t.

    Parameters
    ----------
    columns : without an intercept; of comparable sizes
    group : t may differ between groups, as in a conditional logit; one t for all if None
    """
    group = np.zeros(len(label), dtype=np.int64) if group is None else group
    rows = np.unique(np.column_stack([label, group, columns]), axis=0)
    sign, group, columns = np.where(rows[:, 0] > 0, 1.0, -1.0), rows[:, 1].astype(int), rows[:, 2:]
    place = np.unique(group, return_inverse=True)[1].reshape(-1)
    threshold = csr_matrix((-sign, (np.arange(len(sign)), place)), shape=(len(sign), place.max(initial=0) + 1))
    margin = hstack([csr_matrix(columns * sign[:, None]), threshold]).tocsr()
    bounds = [(-1, 1)] * columns.shape[1] + [(None, None)] * threshold.shape[1]
    found = linprog(-np.asarray(margin.sum(axis=0)).ravel(), A_ub=-margin, b_ub=np.zeros(len(sign)), bounds=bounds, method="highs")
    return bool(found.status != 0 or -found.fun > _FOUND)
