"""Association of two quantities within images: one coefficient an image, so that nothing that differs between images can make it.

Kendall's tau-b, Spearman, Pearson, and their partial forms given one covariate such as the position; and the uncentred cosine, which is
near one for any two positive quantities, however unrelated, and stands here only to be shown beside the others.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Shaped
from scipy.stats import rankdata

from analysis.stats.bootstrap import LEVEL, RESAMPLES, cluster_bca, ratio
from analysis.stats.paired import sign_flip

KINDS = ("kendall", "spearman", "pearson", "cosine")
FEWEST = 3
_CONSTANT = 1e-12  # a spread below this share of the size is rounding


@dataclass(frozen=True)
class Association:
    """Mean over images of a coefficient within images; every field but `per_image` and `weight` holds one value a quantity.

    Attributes
    ----------
    estimate, low, high : weighted mean and its cluster-bootstrap (BCa) limits
    n_images, n_cases : with a coefficient, and the cases behind it
    p, p_max_t : two-sided sign-flip p over images of a mean of zero; alone, and corrected over the quantities (meaningless for the cosine)
    per_image, weight : Float[np.ndarray, "image quantity"], images in the order of `np.unique`
    reason : why a limit is NaN, or ""
    """

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray
    n_images: np.ndarray
    n_cases: np.ndarray
    p: np.ndarray
    p_max_t: np.ndarray
    per_image: np.ndarray
    weight: np.ndarray
    reason: tuple[str, ...]


def within_image(
    x: Float[np.ndarray, " case *quantity"],
    y: Float[np.ndarray, " case"],
    image: Shaped[np.ndarray, " case"],
    covariate: Float[np.ndarray, " case"] | None = None,
    *,
    kind: str = "kendall",
) -> Float[np.ndarray, " image *quantity"]:
    """Coefficient of x with y in each image, images in the order of `np.unique(image)`.

    Parameters
    ----------
    x : several quantities (layers) may share y; a case with NaN in x, y or the covariate takes no part in that quantity
    covariate : partial it out, from ranks for "spearman"; Kendall's partial tau is (t_xy - t_xz t_yz) / sqrt((1 - t_xz^2)(1 - t_yz^2))
        (Kendall 1942), which conditional independence alone does not make zero
    kind : one of `KINDS`

    Returns
    -------
    NaN for under 3 cases (4 with a covariate), for a constant x or y, and where the covariate alone gives x or y

    Raises
    ------
    ValueError : an unknown kind, or a covariate for the cosine, which knows none
    """
    if kind not in KINDS:
        raise ValueError(f"within_image.kind must be one of {', '.join(KINDS)}; got {kind!r}.")
    if kind == "cosine" and covariate is not None:
        raise ValueError("within_image.covariate must be None for the cosine; got an array.")
    columns = _columns(x)
    names, number = np.unique(image, return_inverse=True)
    found = np.full((len(names), columns.shape[1]), np.nan)
    order = np.argsort(number.reshape(-1), kind="stable")
    bounds = np.searchsorted(number.reshape(-1)[order], np.arange(len(names) + 1))
    for place in range(len(names)):
        own = order[bounds[place] : bounds[place + 1]]
        z = None if covariate is None else covariate[own]
        known = ~np.isnan(y[own]) & (True if z is None else ~np.isnan(z))
        own, z = own[known], None if z is None else z[known]
        present = ~np.isnan(columns[own])
        patterns = present[:, :1] if present.all() else np.unique(present, axis=1)  # nearly always one: all layers miss the same cases
        for pattern in patterns.T if len(own) else ():
            chosen = (present == pattern[:, None]).all(axis=0)
            if pattern.sum() >= FEWEST + (z is not None):
                values = columns[own][pattern][:, chosen].T
                found[place, chosen] = _coefficients(values, y[own][pattern], None if z is None else z[pattern], kind)
    return found.reshape(len(names), *x.shape[1:])


def mean_within(
    x: Float[np.ndarray, " case *quantity"],
    y: Float[np.ndarray, " case"],
    image: Shaped[np.ndarray, " case"],
    covariate: Float[np.ndarray, " case"] | None = None,
    *,
    kind: str = "kendall",
    weighted: bool = True,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Association:
    """Mean over images of `within_image`, its limits over images, and the test that it is zero.

    Parameters
    ----------
    weighted : images count by their number of cases less one, as the precision of a rank correlation grows; all alike if False
    """
    per_image = within_image(x, y, image, covariate, kind=kind)
    per_image = _columns(per_image)
    number = np.unique(image, return_inverse=True)[1].reshape(-1)
    known = ~np.isnan(_columns(x)) & ~np.isnan(y)[:, None]
    known &= True if covariate is None else ~np.isnan(covariate)[:, None]
    cases = np.stack([np.bincount(number, weights=column, minlength=len(per_image)) for column in known.T], axis=1)
    has = np.isfinite(per_image)
    weight = np.where(has, cases - 1 if weighted else 1.0, 0.0)
    parts = np.where(has, per_image, 0.0) * weight
    interval = cluster_bca(ratio(parts, weight), len(per_image), level=level, resamples=resamples, seed=seed)
    p, p_max_t = sign_flip(np.where(has, parts, np.nan), seed=seed)
    return Association(
        interval.estimate,
        interval.low,
        interval.high,
        has.sum(axis=0),
        np.where(has, cases, 0).sum(axis=0).astype(int),
        p,
        p_max_t,
        per_image,
        weight,
        interval.reason,
    )


def within_tau(
    x: Float[np.ndarray, " case *quantity"],
    y: Float[np.ndarray, " case"],
    image: Shaped[np.ndarray, " case"],
    covariate: Float[np.ndarray, " case"] | None = None,
    *,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> Association:
    """Stratified concordance: tau-b of each image, then the mean over images weighted by cases less one."""
    return mean_within(x, y, image, covariate, kind="kendall", level=level, resamples=resamples, seed=seed)


def _columns(x: Float[np.ndarray, " case *quantity"]) -> Float[np.ndarray, "case column"]:
    return x.reshape(len(x), int(np.prod(x.shape[1:])))


def _coefficients(
    x: Float[np.ndarray, "quantity case"], y: Float[np.ndarray, " case"], z: Float[np.ndarray, " case"] | None, kind: str
) -> Float[np.ndarray, " quantity"]:
    """Of one image; no NaN."""
    transforms: dict[str, Callable[..., np.ndarray]] = {
        "kendall": _signs,
        "spearman": _centred_ranks,
        "pearson": _centred,
        "cosine": np.asarray,
    }
    transform = transforms[kind]
    x, y = _unit(transform(x)), _unit(transform(y))
    if z is None:
        return x @ y
    z = _unit(transform(z))
    xz, yz = x @ z, y @ z
    rest = (1 - xz**2) * (1 - yz**2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(rest > _CONSTANT, np.clip((x @ y - xz * yz) / np.sqrt(rest), -1, 1), np.nan)


def _signs(values: Float[np.ndarray, "*quantity case"]) -> Float[np.ndarray, "*quantity pair"]:
    """Of the differences of all pairs of cases: tau-b is the cosine of these."""
    first, second = np.triu_indices(values.shape[-1], 1)
    return np.sign(values[..., second] - values[..., first])


def _centred(values: Float[np.ndarray, "*quantity case"]) -> Float[np.ndarray, "*quantity case"]:
    centred = values - values.mean(axis=-1, keepdims=True)
    rounding = np.abs(centred).max(axis=-1, keepdims=True) <= _CONSTANT * np.abs(values).max(axis=-1, keepdims=True)
    return np.where(rounding, 0.0, centred)


def _centred_ranks(values: Float[np.ndarray, "*quantity case"]) -> Float[np.ndarray, "*quantity case"]:
    return _centred(rankdata(values, axis=-1))


def _unit(values: Float[np.ndarray, "*quantity case"]) -> Float[np.ndarray, "*quantity case"]:
    length = np.sqrt((values**2).sum(axis=-1, keepdims=True))
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(length > 0, values / length, np.nan)
