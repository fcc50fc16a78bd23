"""Logistic regressions of a label on several scores at once, cases within images: marginal (GEE) and conditional on the image.

Thin wrappers of statsmodels. What it would answer with a traceback, a warning or a huge number (separation, no variation, too few images)
is a `reason` here, and every number NaN.
"""

import math
import warnings
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int, Shaped
from scipy.interpolate import CubicSpline
from scipy.stats import norm, t

from analysis.stats.bootstrap import LEVEL
from analysis.stats.separation import separated

LINKS = ("logit", "cloglog")
STRUCTURES = ("exchangeable", "independence")
FEWEST_IMAGES = 10
MOST_CASES = 500
"""Of one image in the conditional logit: statsmodels recurses once a case."""


@dataclass(frozen=True)
class Effect:
    """One coefficient.

    Attributes
    ----------
    estimate, se, low, high : on the scale of the link, per unit of the column
    p : two-sided, of zero
    sd : standard deviation of the column over the cases used
    """

    estimate: float
    se: float
    low: float
    high: float
    p: float
    sd: float

    def ratio(self, per: str = "sd") -> tuple[float, float, float]:
        """Odds ratio (hazard ratio under cloglog) with its limits, per standard deviation ("sd") or per unit ("unit") of the column."""
        if per not in ("sd", "unit"):
            raise ValueError(f"Effect.ratio.per must be sd or unit; got {per!r}.")
        step = self.sd if per == "sd" else 1.0
        with np.errstate(over="ignore"):
            estimate, low, high = np.exp(np.array([self.estimate, self.low, self.high]) * step).tolist()
        return estimate, low, high


@dataclass(frozen=True)
class Regression:
    """A fitted model, or why there is none.

    Attributes
    ----------
    effects : by column of the design, without the intercept; all NaN where there is a reason
    n_images, n_cases, n_events : that the fit used; events are positive labels
    reason : why there is no fit, or ""
    """

    effects: Mapping[str, Effect]
    n_images: int
    n_cases: int
    n_events: int
    reason: str = ""


def gee_logistic(
    label: Bool[np.ndarray, " case"],
    design: Mapping[str, Shaped[np.ndarray, " case"]],
    image: Shaped[np.ndarray, " case"],
    *,
    link: str = "logit",
    structure: str = "exchangeable",
    level: float = LEVEL,
) -> Regression:
    """Population-averaged effects: GEE with images as clusters, bias-reduced sandwich variance, t with images - coefficients degrees.

    Parameters
    ----------
    design : columns by name, without an intercept; a case without a finite number in every column takes no part
    link : "logit" for odds ratios, "cloglog" for ratios of discrete-time hazards
    structure : working correlation of the cases of an image; the variance holds under either

    Notes
    -----
    Liang & Zeger (1986); the variance inflates each image's residuals by its leverage (Mancl & DeRouen 2001), so that it is not too small
    for a few tens of images, and is the usual sandwich for many.
    """
    if link not in LINKS:
        raise ValueError(f"gee_logistic.link must be one of {', '.join(LINKS)}; got {link!r}.")
    if structure not in STRUCTURES:
        raise ValueError(f"gee_logistic.structure must be one of {', '.join(STRUCTURES)}; got {structure!r}.")
    data = _Cases(label, design, image)
    reason = data.unfit(data.columns) or data.few(max(FEWEST_IMAGES, len(data.names) + 3))
    if not reason and separated(data.columns, data.label):
        reason = "the columns separate the labels"
    if reason:
        return data.nothing(reason)
    import statsmodels.api as sm

    order = np.argsort(data.image, kind="stable")
    model = sm.GEE(
        data.label[order].astype(float),
        sm.add_constant(data.columns[order]),
        groups=data.image[order],
        family=sm.families.Binomial(sm.families.links.CLogLog() if link == "cloglog" else sm.families.links.Logit()),
        cov_struct=sm.cov_struct.Exchangeable() if structure == "exchangeable" else sm.cov_struct.Independence(),
    )
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # what they warn of is asked for below
        fit = model.fit(cov_type="bias_reduced")
    estimate, se = np.asarray(fit.params)[1:], np.sqrt(np.diag(fit.cov_params()))[1:]
    if not fit.converged or not np.isfinite([*estimate, *se]).all():
        return data.nothing("the fit did not converge")
    degrees = data.images - len(estimate) - 1
    return data.told(estimate, se, t.ppf((1 + level) / 2, degrees), 2 * t.sf(np.abs(estimate / se), degrees))


def conditional_logit(
    label: Bool[np.ndarray, " case"],
    design: Mapping[str, Shaped[np.ndarray, " case"]],
    image: Shaped[np.ndarray, " case"],
    *,
    level: float = LEVEL,
) -> Regression:
    """Effects within images: each image's number of positives is given, so that nothing that is the same in an image can matter.

    Images with one label only say nothing and are left out (`n_images` tells what is left). Limits and p are Wald's (normal).
    """
    data = _Cases(label, design, image)
    share = np.bincount(data.image, weights=data.label) / np.maximum(np.bincount(data.image), 1)
    data = data.only((share > 0) & (share < 1))
    inside = data.columns - _mean_of_image(data.columns, data.image)
    reason = data.unfit(inside, " within images") or data.few(len(data.names) + 2)
    if not reason and np.bincount(data.image).max() > MOST_CASES:
        reason = f"an image has more than {MOST_CASES} cases"
    if not reason and separated(inside, data.label, data.image):
        reason = "the columns separate the labels within images"
    if reason:
        return data.nothing(reason)
    from statsmodels.discrete.conditional_models import ConditionalLogit

    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")  # what they warn of is asked for below
        model = ConditionalLogit(data.label.astype(float), inside, groups=data.image)
        fit = model.fit(disp=0)
        estimate, se = np.asarray(fit.params), np.asarray(fit.bse)
        slope = np.asarray(model.score(estimate))  # statsmodels does not tell whether it converged
    if not np.isfinite([*estimate, *se]).all() or np.abs(slope * se).max() > 0.01:
        return data.nothing("the fit did not converge")
    return data.told(estimate, se, norm.ppf((1 + level) / 2), 2 * norm.sf(np.abs(estimate / se)))


def natural_spline(values: Float[np.ndarray, " case"], name: str, degrees: int = 3) -> dict[str, Float[np.ndarray, " case"]]:
    """Columns of a natural cubic spline without intercept, named "<name> 1" ..., to let a label depend smoothly on a position.

    Knots are quantiles from the least to the greatest value; fewer columns come back where the values have fewer distinct quantiles.
    """
    if degrees < 1:
        raise ValueError(f"natural_spline.degrees must be a positive integer; got {degrees}.")
    known = np.isfinite(values)
    knots = np.unique(np.quantile(values[known], np.linspace(0, 1, degrees + 1))) if known.any() else np.zeros(0)
    if len(knots) < 2:
        return {f"{name} 1": values.astype(float)}
    if len(knots) == 2:
        return {f"{name} 1": (values - knots[0]) / (knots[1] - knots[0])}
    basis = np.full((len(values), len(knots)), np.nan)
    basis[known] = CubicSpline(knots, np.eye(len(knots)), bc_type="natural")(values[known])
    return {f"{name} {number}": basis[:, number] for number in range(1, len(knots))}  # the columns sum to one: the first is the intercept's


class _Cases:
    """Complete cases, images numbered, columns in standard deviations."""

    def __init__(self, label: np.ndarray, design: Mapping[str, np.ndarray], image: np.ndarray):
        self.names = tuple(design)
        raw = np.column_stack([np.asarray(column, dtype=float) for column in design.values()]) if design else np.empty((len(label), 0))
        known = np.isfinite(raw).all(axis=1)
        self._fill(label[known], raw[known], image[known])

    def _fill(self, label: np.ndarray, raw: np.ndarray, image: np.ndarray) -> None:
        self.label, self.raw = label, raw
        kinds, number = np.unique(image, return_inverse=True)
        self.image: Int[np.ndarray, " case"] = number.reshape(-1)
        self.images = len(kinds)
        self.sd = raw.std(axis=0) if len(raw) else np.full(raw.shape[1], np.nan)
        centred = raw - raw.mean(axis=0) if len(raw) else raw
        self.columns = centred / np.where(self.sd > 0, self.sd, 1.0)

    def only(self, kept: Bool[np.ndarray, " image"]) -> "_Cases":
        chosen = kept[self.image]
        fewer = object.__new__(_Cases)
        fewer.names = self.names
        fewer._fill(self.label[chosen], self.raw[chosen], self.image[chosen])
        return fewer

    def unfit(self, columns: np.ndarray, where: str = "") -> str:
        """Why no model of these columns can be fitted, or ""."""
        if not self.names:
            return "the design has no column"
        if not self.label.any() or self.label.all():
            return "all labels are the same" + where
        flat = np.abs(columns).max(axis=0) <= 1e-9
        if flat.any():
            return f"{self.names[int(np.argmax(flat))]} does not vary" + where
        return "the columns are collinear" + where if np.linalg.matrix_rank(columns, tol=1e-8 * np.sqrt(len(columns))) < len(flat) else ""

    def few(self, fewest: int) -> str:
        return f"needs at least {fewest} images, got {self.images}" if self.images < fewest else ""

    def nothing(self, reason: str) -> Regression:
        effects = {name: Effect(*(math.nan,) * 5, float(sd)) for name, sd in zip(self.names, self.sd, strict=True)}
        return Regression(effects, self.images, len(self.label), int(self.label.sum()), reason)

    def told(self, estimate: np.ndarray, se: np.ndarray, quantile: float, p: np.ndarray) -> Regression:
        low, high = estimate - quantile * se, estimate + quantile * se
        values = np.column_stack([*(part / self.sd for part in (estimate, se, low, high)), p, self.sd]).tolist()
        effects = {name: Effect(*row) for name, row in zip(self.names, values, strict=True)}
        return Regression(effects, self.images, len(self.label), int(self.label.sum()))


def _mean_of_image(columns: Float[np.ndarray, "case column"], image: Int[np.ndarray, " case"]) -> Float[np.ndarray, "case column"]:
    sums = np.stack([np.bincount(image, weights=column) for column in columns.T], axis=1) if columns.shape[1] else np.empty((1, 0))
    return (sums / np.maximum(np.bincount(image), 1)[:, None])[image] if len(image) else columns
