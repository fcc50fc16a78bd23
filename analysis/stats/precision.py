"""Average precision (area under the precision-recall curve) of a score, with images as the unit: pooled, within images, within strata.

Average precision is the mean over positives of the precision at their rank: of the cases scored at least as high, the share of positives,
as scikit-learn defines it. In groups (images, strata) each positive is ranked in its own group, and the mean runs over all positives whose
group has a negative too. Unlike AUROC it has no value of its own under chance: it grows with the prevalence, and in small groups beyond it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.sparse import csr_matrix

from analysis.stats.bootstrap import Statistic, multiplicity_of_images


@dataclass(frozen=True)
class Ranking:
    """Cases of one score, sorted once by group and falling score, so that every resample of images is a running sum.

    Attributes
    ----------
    positives, negatives : csr_matrix, "place image"
        A place is one distinct score of a positive in its group. Negatives count at the first place that is not above them.
    opposite : csr_matrix, "place image"
        All negatives of the place's group.
    group : Int[np.ndarray, "place"]
        First place of the group.
    chance : expected average precision of a random order; NaN where no group has both labels
    """

    positives: csr_matrix
    negatives: csr_matrix
    opposite: csr_matrix
    group: Int[np.ndarray, " place"]
    chance: float


def ranking(
    score: Float[np.ndarray, " case"],
    positive: Bool[np.ndarray, " case"],
    image: Int[np.ndarray, " case"],
    images: int,
    group: Int[np.ndarray, " case"] | None = None,
) -> Ranking:
    """Sort the cases of a score; a case without a score (NaN) takes no part, ties share one place.

    Parameters
    ----------
    image : index of the case's image, 0 to images - 1
    group : cases are ranked among those of their group only, such as one image or one position; all together if None
    """
    known = ~np.isnan(score)
    score, positive, image = score[known], positive[known], image[known]
    group = np.zeros(len(score), dtype=np.int64) if group is None else np.unique(group[known], return_inverse=True)[1].reshape(-1)
    order = np.unique(-score, return_inverse=True)[1].reshape(-1)
    ranks = int(order.max(initial=0)) + 1
    key = group * ranks + order
    places, place = np.unique(key[positive], return_inverse=True)
    home = places // ranks  # the group of each place
    first = np.searchsorted(home, home)
    other = image[~positive]
    mark = np.searchsorted(places, key[~positive], "left")
    kept = mark < len(places)
    kept[kept] &= home[mark[kept]] == group[~positive][kept]  # below the last positive of its group: spoils no precision
    negatives = _count(mark[kept], other[kept], len(places), images)
    in_group = _count(group[~positive], other, int(group.max(initial=0)) + 1, images)
    sizes = np.bincount(group[positive], minlength=in_group.shape[0]), np.bincount(group[~positive], minlength=in_group.shape[0])
    return Ranking(_count(place.reshape(-1), image[positive], len(places), images), negatives, in_group[home], first, _chance(*sizes))


def average_precision(found: Sequence[Ranking]) -> Statistic:
    """Statistic for `cluster_bca`: average precision of each ranking over the drawn images; NaN where no group drew both labels."""

    def of(drawn: Int[np.ndarray, "*resample drawn"]) -> Float[np.ndarray, " quantity *resample"]:
        times = multiplicity_of_images(drawn, found[0].positives.shape[1])
        flat = times.reshape(-1, times.shape[-1]).T
        return np.stack([_average(one, flat).reshape(times.shape[:-1]) for one in found])

    return of


def _average(one: Ranking, times: Float[np.ndarray, "image resample"]) -> Float[np.ndarray, " resample"]:
    hits, false = np.asarray(one.positives @ times), np.asarray(one.negatives @ times)
    true_above, false_above = (_running(counts, one.group) for counts in (hits, false))
    hits = np.where(np.asarray(one.opposite @ times) > 0, hits, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        precise = np.where(hits > 0, true_above / (true_above + false_above), 0.0)
        return (hits * precise).sum(axis=0) / hits.sum(axis=0)


def _running(counts: Float[np.ndarray, "place resample"], first: Int[np.ndarray, " place"]) -> Float[np.ndarray, "place resample"]:
    """Sums over the places of a group so far."""
    total = np.vstack([np.zeros((1, counts.shape[1])), np.cumsum(counts, axis=0)])
    return total[1:] - total[first]


def _chance(positives: Int[np.ndarray, " group"], negatives: Int[np.ndarray, " group"]) -> float:
    """Expected average precision of a random order without ties, groups weighted by positives.

    Rank k of n holds a positive with probability P / n, and then the expected precision there is (1 + (k - 1)(P - 1) / (n - 1)) / k. Over
    all k: (H + (P - 1) / (n - 1) (n - H)) / n with H = 1 + 1/2 + ... + 1/n.
    """
    both = (positives > 0) & (negatives > 0)
    if not both.any():
        return float("nan")
    hits, n = positives[both].astype(float), (positives + negatives)[both]
    harmonic = np.cumsum(1 / np.arange(1, n.max() + 1))[n - 1]
    expected = (harmonic + (hits - 1) / (n - 1) * (n - harmonic)) / n
    return float((expected * hits).sum() / hits.sum())


def _count(row: np.ndarray, column: np.ndarray, rows: int, columns: int) -> csr_matrix:
    return csr_matrix((np.ones(len(row)), (row, column)), shape=(rows, columns))
