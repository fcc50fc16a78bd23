"""Variance of AUROCs without resampling, images as clusters (Obuchowski 1997, Biometrics 53, 567-578), and the test of a difference.

DeLong's variance (1988) takes the cases as independent. Obuchowski sums the placements of an image's cases before squaring them, so that
what an image's cases share is counted; with one case an image the two are the same. From counted pairs this is a line: the placements of
image i's positives sum to row i of the concordance, those of its negatives to column i.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from scipy.special import expit, logit
from scipy.stats import t

from analysis.stats.concordance import Concordance


@dataclass(frozen=True)
class DeLong:
    """AUROCs of scores on the same cases, and how they vary together from sample to sample of images.

    Attributes
    ----------
    auroc : NaN without a pair
    covariance : of the estimates; NaN with fewer than 2 images of positives or of negatives
    n_images : images with a case
    reason : why the covariance is NaN, or ""
    """

    auroc: Float[np.ndarray, " score"]
    covariance: Float[np.ndarray, "score score"]
    n_images: int
    reason: str = ""

    @property
    def se(self) -> Float[np.ndarray, " score"]:
        """Standard errors."""
        return np.sqrt(np.diag(self.covariance))

    def interval(self, level: float = 0.95) -> tuple[Float[np.ndarray, " score"], Float[np.ndarray, " score"]]:
        """Limits, symmetric on the logit scale so that they stay within (0, 1), t as in `p`; NaN for an AUROC of exactly 0 or 1."""
        if not 0 < level < 1:
            raise ValueError(f"DeLong.interval.level must lie in (0, 1); got {level}.")
        with np.errstate(divide="ignore", invalid="ignore"):
            half = t.ppf((1 + level) / 2, max(self.n_images - 1, 1)) * self.se / (self.auroc * (1 - self.auroc))
            return expit(logit(self.auroc) - half), expit(logit(self.auroc) + half)

    def p(self) -> Float[np.ndarray, " score"]:
        """Two-sided p of "AUROC is one half", for each score alone; t with n_images - 1 degrees of freedom."""
        return self._p(self.auroc - 0.5, self.se)

    def difference(self, first: int, second: int) -> tuple[float, float, float]:
        """AUROC of `first` minus that of `second`, its standard error, and the two-sided p of no difference.

        p is NaN where the difference cannot vary, such as between a score and itself.
        """
        contrast = np.zeros(len(self.auroc))
        contrast[first] += 1
        contrast[second] -= 1
        size = float(contrast @ self.auroc)
        spread = float(np.sqrt(max(contrast @ self.covariance @ contrast, 0.0))) if np.isfinite(self.covariance).all() else float("nan")
        return size, spread, float(self._p(np.array([size]), np.array([spread]))[0])

    def _p(self, size: np.ndarray, spread: np.ndarray) -> np.ndarray:
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = np.where(spread > 1e-12, np.abs(size) / spread, np.nan)
        return 2 * t.sf(ratio, max(self.n_images - 1, 1))


def delong(found: Sequence[Concordance], *, within: bool = False) -> DeLong:
    """AUROCs and their covariance from counted pairs, the same cases under every score.

    Parameters
    ----------
    found : one concordance a score; pooled, or with strata (the projection of the stratified ratio then takes the place of the placements)
    within : only pairs of one image count; the AUROC is then a ratio of sums over images, and this its linearised variance

    Notes
    -----
    With a_i (b_i) the sum over the positives (negatives) of image i of placement minus AUROC, in units of pairs, and T pairs in all::

        cov(r, s) = [ I10 / (I10 - 1) a_r'a_s + I01 / (I01 - 1) b_r'b_s + I / (I - 1) (a_r'b_s + b_r'a_s) ] / T^2

    over I10 images with positives, I01 with negatives, I with either: Obuchowski's equations 5 to 8.
    """
    pairs = np.stack([one.pairs for one in found])
    concordant = np.stack([one.concordant for one in found])
    if within:
        pairs, concordant = (np.diagonal(one, axis1=1, axis2=2) for one in (pairs, concordant))
        total = pairs.sum(axis=1)
        holds = (pairs > 0).any(axis=0)
        groups: tuple[int, ...] = (int(holds.sum()),)
    else:
        total = pairs.sum(axis=(1, 2))
        rows, columns = (pairs > 0).any(axis=(0, 2)), (pairs > 0).any(axis=(0, 1))
        groups = (int(rows.sum()), int(columns.sum()), int((rows | columns).sum()))
    with np.errstate(divide="ignore", invalid="ignore"):
        auroc = concordant.reshape(len(found), -1).sum(axis=1) / total
    if not (total > 0).all() or min(groups) < 2:
        reason = (
            "no pair of a positive and a negative" if not (total > 0).all() else "a variance needs 2 images of positives and of negatives"
        )
        return DeLong(auroc, np.full((len(found),) * 2, np.nan), groups[-1], reason)
    excess = concordant - auroc.reshape(-1, *[1] * (concordant.ndim - 1)) * pairs
    inflate = [images / (images - 1) for images in groups]
    if within:
        unit = excess / total[:, None]
        return DeLong(auroc, inflate[0] * unit @ unit.T, groups[0])
    a, b = excess.sum(axis=2) / total[:, None], excess.sum(axis=1) / total[:, None]
    cross = a @ b.T
    return DeLong(auroc, inflate[0] * a @ a.T + inflate[1] * b @ b.T + inflate[2] * (cross + cross.T), groups[2])
