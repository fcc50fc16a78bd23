"""How well a score separates positives from negatives (AUROC), pooled, within images and within strata, with images as the unit.

All three are ratios of quadratic forms. Let C[i, k] count the concordant pairs of a positive of image i with a negative of image k (ties
count half) and N[i, k] all such pairs. For a resample that drew image i m[i] times, AUROC = m'Cm / m'Nm; within images only the
diagonal counts, sum_i m[i] C[i, i] / sum_i m[i] N[i, i]. So a bootstrap or jackknife over images never sorts a token again.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_matrix
from scipy.stats import rankdata

from analysis.stats.bootstrap import Statistic, multiplicity_of_images


@dataclass(frozen=True)
class Concordance:
    """Concordant pairs and all pairs of positives of one image (rows) with negatives of another (columns).

    Sums of concordances (`+`) keep pairs apart: a pair is formed inside a layer or stratum, never across two.
    """

    concordant: Float[np.ndarray, "image image"]
    pairs: Float[np.ndarray, "image image"]

    def __add__(self, other: "Concordance") -> "Concordance":
        return Concordance(self.concordant + other.concordant, self.pairs + other.pairs)

    @property
    def auroc(self) -> float:
        """Over all pairs; NaN where there is none."""
        return _share(self.concordant.sum(), self.pairs.sum())

    @property
    def auroc_within(self) -> float:
        """Over pairs of one image; NaN where there is none."""
        return _share(np.trace(self.concordant), np.trace(self.pairs))


def concordance(
    score: Float[np.ndarray, " token"],
    positive: Bool[np.ndarray, " token"],
    image: Int[np.ndarray, " token"],
    images: int,
    stratum: Int[np.ndarray, " token"] | None = None,
) -> Concordance:
    """Count pairs exactly, ties half, in O(positives x images + tokens log tokens).

    Parameters
    ----------
    score : higher means "positive"; a token without a score (NaN) takes no part
    image : index of the token's image, 0 to images - 1
    stratum : only pairs of one stratum count, such as tokens of one position; all pairs if None

    Notes
    -----
    Positives are put in order once. Each negative then begins to count half at the first positive that is not below it, fully from the
    first that is above it, and no more where its stratum ends: three marks a negative, and a running sum over positives gives C.
    """
    known = ~np.isnan(score)
    score, positive, image = score[known], positive[known], image[known]
    stratum = np.zeros(len(score), dtype=np.int64) if stratum is None else np.unique(stratum[known], return_inverse=True)[1].reshape(-1)
    if not len(score):
        return Concordance(np.zeros((images, images)), np.zeros((images, images)))
    order = np.unique(score, return_inverse=True)[1].reshape(-1)
    ranks = int(order.max()) + 1
    key = stratum * ranks + order  # sorts by stratum, then by score
    places, place = np.unique(key[positive], return_inverse=True)
    negative = ~positive
    marks = np.concatenate(
        [
            np.searchsorted(places, key[negative], "left"),
            np.searchsorted(places, key[negative], "right"),
            np.searchsorted(places, (stratum[negative] + 1) * ranks, "left"),
        ]
    )
    share = np.repeat([0.5, 0.5, -1.0], negative.sum())
    columns = np.tile(image[negative], 3)
    below = np.bincount(marks * images + columns, weights=share, minlength=(len(places) + 1) * images)
    below = below.reshape(-1, images)[: len(places)]
    for before, row in itertools.pairwise(below):
        row += before  # row by row: faster than numpy's cumsum down the columns
    rows = csr_matrix((np.ones(len(place)), (image[positive], place.reshape(-1))), shape=(images, len(places)))
    count = _by_image(stratum, image, positive, images), _by_image(stratum, image, negative, images)
    return Concordance(rows @ below, count[0].T @ count[1])


def auroc(found: Sequence[Concordance], *, within: bool = False) -> Statistic:
    """Statistic for `cluster_bca`: the AUROC of each concordance over the drawn images.

    Parameters
    ----------
    within : only pairs of one image; images count by their number of pairs
    """

    def of(drawn: Int[np.ndarray, "*resample drawn"]) -> Float[np.ndarray, " quantity *resample"]:
        times = multiplicity_of_images(drawn, len(found[0].pairs))
        sums: dict[int, np.ndarray] = {}  # concordances of one labelling share their pairs

        def total(matrix: np.ndarray) -> np.ndarray:
            if id(matrix) not in sums:
                sums[id(matrix)] = np.asarray(times @ np.diag(matrix) if within else ((times @ matrix) * times).sum(axis=-1))
            return sums[id(matrix)]

        with np.errstate(invalid="ignore", divide="ignore"):
            return np.stack([total(one.concordant) / total(one.pairs) for one in found])

    return of


def auroc_of_labels(score: Float[np.ndarray, "*row token"], positive: Bool[np.ndarray, "label token"]) -> Float[np.ndarray, "*row label"]:
    """AUROC of each score for each labelling of one image's tokens, from sums of ranks (Mann & Whitney); NaN without a pair.

    For many labels of few tokens, such as permutations under a null; scores must be finite.
    """
    ranks = rankdata(score, axis=-1)
    hits = positive.sum(axis=-1).astype(float)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (ranks @ positive.T.astype(float) - hits * (hits + 1) / 2) / (hits * (positive.shape[-1] - hits))


def _by_image(stratum: np.ndarray, image: np.ndarray, chosen: np.ndarray, images: int) -> np.ndarray:
    shape = (int(stratum.max()) + 1, images)
    counted = np.bincount(stratum[chosen] * images + image[chosen], minlength=shape[0] * shape[1])
    return counted.reshape(shape).astype(float)


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole else float("nan")
