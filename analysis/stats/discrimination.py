"""How well scores separate positive from negative cases, over images: AUROC and average precision, pooled, within images, within strata.

Pooled compares any two cases, within only those of one image, stratified only those of one stratum such as a position in the text. The
three differ where something else moves both score and label: what differs between images lifts (or hides) the pooled figure, a trend over
positions lifts the pooled and the within figure. A score that only tells the position gets one half in the stratified form.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped

from analysis.stats.bootstrap import LEVEL, RESAMPLES, Interval, Statistic, cluster_bca
from analysis.stats.concordance import Concordance, auroc, concordance
from analysis.stats.delong import delong
from analysis.stats.jackknife import cluster_jackknife
from analysis.stats.precision import Ranking, average_precision, ranking

FORMS = ("pooled", "within", "stratified")


@dataclass(frozen=True)
class Discrimination:
    """One score against one label in one form.

    Attributes
    ----------
    form : "pooled", "within" or "stratified"
    auroc, low, high : estimate and cluster-bootstrap (BCa) limits, images drawn
    p : two-sided p of AUROC = 1/2, from the clustered variance (`delong`)
    auprc, auprc_low, auprc_high : average precision, positives ranked within their image (within) or stratum (stratified), and limits from
        leaving out one image at a time
    chance : average precision to expect of a random order of the same groups; about the prevalence where groups are large
    prevalence : share of positives among the cases that take part in a pair
    n_images, n_positive, n_negative : that take part in a pair
    n_pairs : pairs of a positive and a negative
    reason : why a number is NaN, or ""
    """

    form: str
    auroc: float
    low: float
    high: float
    p: float
    auprc: float
    auprc_low: float
    auprc_high: float
    chance: float
    prevalence: float
    n_images: int
    n_positive: int
    n_negative: int
    n_pairs: int
    reason: str


def discriminate(
    score: Float[np.ndarray, " case"],
    label: Bool[np.ndarray, " case"],
    image: Shaped[np.ndarray, " case"],
    stratum: Shaped[np.ndarray, " case"] | None = None,
    *,
    form: str = "pooled",
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Discrimination:
    """AUROC and average precision of one score in one form; see `discriminate_all`, which does many at the cost of few."""
    found = discriminate_all({"score": score}, label, image, stratum, forms=(form,), level=level, resamples=resamples, seed=seed)
    return found["score", form]


def discriminate_all(
    scores: Mapping[str, Float[np.ndarray, " case"]],
    label: Bool[np.ndarray, " case"],
    image: Shaped[np.ndarray, " case"],
    stratum: Shaped[np.ndarray, " case"] | None = None,
    *,
    forms: Sequence[str] = FORMS,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> dict[tuple[str, str], Discrimination]:
    """AUROC and average precision of each score in each form, by (score, form), all on the same resamples of images.

    Parameters
    ----------
    scores : higher means "positive"; a case without a score (NaN) takes no part in that score
    image, stratum : any identifiers; pairs of one stratum only count in the stratified form
    level, resamples, seed : of the cluster bootstrap

    Raises
    ------
    ValueError : an unknown form, or "stratified" without a stratum
    """
    number, images = _numbered(image, stratum, forms)
    counted = [_Counted(score, label, number, images, stratum, form) for score in scores.values() for form in forms]
    keys = [(name, form) for name in scores for form in forms]
    if not images or not counted:
        return {key: one.told((np.nan,) * 3, (np.nan,) * 3, "no case") for key, one in zip(keys, counted, strict=True)}
    area = cluster_bca(_areas(counted), images, level=level, resamples=resamples, seed=seed)
    precise = cluster_jackknife(average_precision([one.ranking for one in counted]), images, level=level, share=True)
    return {
        key: one.told(_limits(area)[place], _limits(precise)[place], area.reason[place] or precise.reason[place])
        for place, (key, one) in enumerate(zip(keys, counted, strict=True))
    }


class _Counted:
    """One score in one form: its pairs and ranking, counted once."""

    def __init__(self, score: np.ndarray, label: np.ndarray, image: np.ndarray, images: int, stratum: np.ndarray | None, form: str):
        known = ~np.isnan(score)
        self.form, self.known = form, known
        groups = {"pooled": None, "within": image, "stratified": None if stratum is None else np.unique(stratum, return_inverse=True)[1]}
        group = groups[form]
        self.pairs: Concordance = concordance(score, label, image, images, group if form == "stratified" else None)
        self.ranking: Ranking = ranking(score, label, image, images, group)
        one = np.zeros(len(score), dtype=np.int64) if group is None else group.reshape(-1)
        size = int(one.max(initial=0)) + 1
        hits = np.bincount(one[known & label], minlength=size)
        misses = np.bincount(one[known & ~label], minlength=size)
        takes_part = known & ((hits > 0) & (misses > 0))[one]
        self.numbers = len(np.unique(image[takes_part])), int((takes_part & label).sum()), int((takes_part & ~label).sum())
        self.n_pairs = int((hits * misses).sum())

    def told(self, area: Sequence[float], precision: Sequence[float], reason: str) -> Discrimination:
        images, hits, misses = self.numbers
        auroc, low, high = map(float, area)
        auprc, auprc_low, auprc_high = map(float, precision)
        return Discrimination(
            self.form,
            auroc,
            low,
            high,
            float(delong([self.pairs], within=self.form == "within").p()[0]),
            auprc,
            auprc_low,
            auprc_high,
            self.ranking.chance,
            hits / (hits + misses) if hits + misses else float("nan"),
            images,
            hits,
            misses,
            self.n_pairs,
            "" if np.isfinite([*area, *precision]).all() else reason,
        )


def _limits(found: Interval) -> list[list[float]]:
    """Estimate, low, high of each quantity."""
    return np.stack([found.estimate, found.low, found.high], axis=1).tolist()


def _areas(counted: Sequence[_Counted]) -> Statistic:
    """The AUROC of each."""
    shared = _sharing([one.pairs for one in counted])
    across, inside = ([place for place, one in enumerate(counted) if (one.form == "within") is within] for within in (False, True))
    parts = [(places, auroc([shared[place] for place in places], within=within)) for places, within in ((across, False), (inside, True))]

    def of(drawn: Int[np.ndarray, "*resample drawn"]) -> Float[np.ndarray, " quantity *resample"]:
        area = np.empty((len(counted), *drawn.shape[:-1]))
        for places, statistic in parts:
            if places:
                area[places] = statistic(drawn)
        return area

    return of


def _sharing(found: Sequence[Concordance]) -> list[Concordance]:
    """The same, with equal numbers of pairs held in one array, which `auroc` then sums once."""
    kinds: list[np.ndarray] = []
    for one in found:
        if not any(np.array_equal(one.pairs, kind) for kind in kinds):
            kinds.append(one.pairs)
    return [Concordance(one.concordant, next(kind for kind in kinds if np.array_equal(one.pairs, kind))) for one in found]


def _numbered(image: np.ndarray, stratum: np.ndarray | None, forms: Sequence[str]) -> tuple[Int[np.ndarray, " case"], int]:
    for form in forms:
        if form not in FORMS:
            raise ValueError(f"discriminate.form must be one of {', '.join(FORMS)}; got {form!r}.")
        if form == "stratified" and stratum is None:
            raise ValueError("discriminate.stratum must be given for the stratified form; got None.")
    names, number = np.unique(image, return_inverse=True)
    return number.reshape(-1), len(names)
