"""Time to the first event of a caption, such as its first hallucination, in several arms that share their images.

Three answers, since none is the whole: the hazard among those still writing (what the arm does at each chance to err), Kaplan-Meier (as if
captions never ended), and the cumulative incidence (what befalls captions as they are, where short ones are safe because they end).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from analysis.stats.bootstrap import LEVEL, RESAMPLES, Interval, cluster_bca, multiplicity_of_images
from analysis.stats.lifetable import CENSORED, END, EVENT, MISSING, LifeTable, counts, table
from analysis.stats.paired import DRAWS
from analysis.stats.regression import Effect, Regression, gee_logistic, natural_spline
from analysis.stats.swap import swap_test

CURVES = ("survival", "incidence", "hazard")
MEANS = ("mean_free", "mean_lost")


@dataclass(frozen=True)
class Band:
    """A curve of every arm with pointwise limits.

    Attributes
    ----------
    estimate, low, high : Float[np.ndarray, "arm time"]; limits are NaN where no resample differs, such as before the first event
    """

    estimate: np.ndarray
    low: np.ndarray
    high: np.ndarray


@dataclass(frozen=True)
class Contrast:
    """An arm against the first arm, images paired.

    Attributes
    ----------
    estimate, low, high : arm minus first arm, cluster bootstrap (BCa)
    p : two-sided, exchanging the arms of an image with all their counts; on the safe side for an incidence, which without losses from
        view is a share of captions, as coarse as in McNemar's test
    n_images : images that have both arms
    reason : why a limit is NaN, or ""
    """

    estimate: float
    low: float
    high: float
    p: float
    n_images: int
    reason: str


@dataclass(frozen=True)
class Survival:
    """Curves, restricted means and contrasts of the arms.

    Attributes
    ----------
    horizon : last time looked at
    table : numbers at risk, events and ends, "arm time"
    curves : "survival", "incidence", "hazard" (see `LifeTable`)
    means : by name ("mean_free", "mean_lost"), each "arm 3": estimate, low, high, in units of time
    contrasts : of the second and later arms with the first, by name: the means, and "incidence" at the horizon
    n_images : images with any arm
    """

    horizon: int
    table: LifeTable
    curves: dict[str, Band]
    means: dict[str, Float[np.ndarray, "arm 3"]]
    contrasts: tuple[dict[str, Contrast], ...]
    n_images: int


def survival(
    time: Int[np.ndarray, "image arm"],
    kind: Int[np.ndarray, "image arm"],
    *,
    horizon: int | None = None,
    level: float = LEVEL,
    resamples: int = RESAMPLES,
    draws: int = DRAWS,
    seed: int = 0,
) -> Survival:
    """Curves of every arm and their paired contrasts with the first arm; images are drawn with all their arms.

    Parameters
    ----------
    time : when (1, 2, ...) the caption had its first event, or ended or was lost without one
    kind : `EVENT`, `END`, `CENSORED` at that time; `MISSING` for an arm that an image does not have
    horizon : last time that counts; the last event or end of any arm if None

    Raises
    ------
    ValueError : a time below 1, an unknown kind, no subject
    """
    unknown = np.setdiff1d(kind, [CENSORED, EVENT, END, MISSING])
    if len(unknown):
        raise ValueError(f"survival.kind must be CENSORED 0, EVENT 1, END 2 or MISSING -1; got {unknown[0]}.")
    there = kind != MISSING
    if not there.any():
        raise ValueError("survival.kind must have a subject that is not MISSING; got none.")
    if time[there].min() < 1:
        raise ValueError(f"survival.time must be 1 or later; got {time[there].min()}.")
    if horizon is not None and horizon < 1:
        raise ValueError(f"survival.horizon must be a positive integer; got {horizon}.")
    horizon = int(time[there].max()) if horizon is None else horizon
    kept = there.any(axis=1)
    each = counts(time[kept], kind[kept], horizon)
    images, arms = each.shape[:2]
    flat = each.reshape(images, -1)

    def drawn_table(drawn: np.ndarray) -> LifeTable:
        times = multiplicity_of_images(drawn, images)
        return table((times @ flat).reshape(*drawn.shape[:-1], arms, 3, horizon))

    def of(drawn: Int[np.ndarray, "*resample drawn"]) -> Float[np.ndarray, " quantity *resample"]:
        found = drawn_table(drawn)
        parts = [getattr(found, name) for name in CURVES] + [np.stack([getattr(found, name) for name in MEANS], axis=-1)]
        return np.moveaxis(np.concatenate([part.reshape(*drawn.shape[:-1], -1) for part in parts], axis=-1), -1, 0)

    limits = _stacked(cluster_bca(of, images, level=level, resamples=resamples, seed=seed))
    bands = limits[: len(CURVES) * arms * horizon].reshape(len(CURVES), arms, horizon, 3)
    means = limits[len(CURVES) * arms * horizon :].reshape(arms, len(MEANS), 3)
    return Survival(
        horizon,
        table(each.sum(axis=0)),
        {name: Band(*np.moveaxis(band, -1, 0)) for name, band in zip(CURVES, bands, strict=True)},
        {name: means[:, place] for place, name in enumerate(MEANS)},
        tuple(_contrasts(each[:, [0, arm]], level, resamples, draws, seed) for arm in range(1, arms)),
        images,
    )


@dataclass(frozen=True)
class SplitHazard:
    """The second arm's hazard over the first's, before and after a time, and whether the two differ.

    Attributes
    ----------
    model : the whole regression
    early, late : effects up to the cut, it included, and after it; `effect.ratio("unit")` are the ratios
    change : late over early; its p tests that hazards are proportional
    """

    model: Regression
    early: Effect
    late: Effect
    change: Effect


def hazard_ratio(
    time: Int[np.ndarray, "image arm"], kind: Int[np.ndarray, "image arm"], *, degrees: int = 3, level: float = LEVEL
) -> tuple[Regression, tuple[Effect, ...]]:
    """Ratio of each later arm's cause-specific hazard to the first arm's: complementary log-log GEE on decisions at risk.

    One row for every time that a subject was at risk; the baseline hazard is a natural spline of time (Prentice & Gloeckler 1978). An end
    takes the subject out of risk, as censoring would.

    Returns
    -------
    The whole model, and the effect of each later arm; `effect.ratio("unit")` is the hazard ratio with its limits.
    """
    risk = _risk(time, kind)
    arms = {f"arm {number}": (risk.arm == number).astype(float) for number in range(1, kind.shape[1])}
    fit = _fit(risk, arms, degrees, level)
    return fit, tuple(fit.effects[name] for name in arms)


def split_hazard_ratio(
    time: Int[np.ndarray, "image 2"], kind: Int[np.ndarray, "image 2"], cut: int, *, degrees: int = 3, level: float = LEVEL
) -> SplitHazard:
    """The same of two arms, with a ratio of its own up to time `cut` and one after it: one ratio over all times may hide two.

    The second fit is the first in other coordinates (early, late over early), so that its second effect tests proportional hazards.
    """
    risk = _risk(time, kind)
    arm, late = (risk.arm == 1).astype(float), (risk.now > cut).astype(float)
    apart = _fit(risk, {"early": arm * (1 - late), "late": arm * late}, degrees, level)
    change = _fit(risk, {"arm": arm, "late over early": arm * late}, degrees, level).effects["late over early"]
    return SplitHazard(apart, apart.effects["early"], apart.effects["late"], change)


@dataclass(frozen=True)
class _AtRisk:
    """One row for every time that a subject was at risk: which image and arm, at which time, and whether the event came then."""

    image: Int[np.ndarray, " row"]
    arm: Int[np.ndarray, " row"]
    now: Int[np.ndarray, " row"]
    label: np.ndarray


def _risk(time: Int[np.ndarray, "image arm"], kind: Int[np.ndarray, "image arm"]) -> _AtRisk:
    place, arm = np.nonzero(kind != MISSING)
    length = time[place, arm]
    row = np.repeat(np.arange(len(length)), length)
    now = np.arange(len(row)) - np.repeat(np.cumsum(length) - length, length) + 1
    label = (now == length[row]) & (kind[place, arm] == EVENT)[row]
    kept = now <= now[label].max(initial=1)  # no information beyond the last event
    return _AtRisk(place[row][kept], arm[row][kept], now[kept], label[kept])


def _fit(risk: _AtRisk, columns: dict[str, np.ndarray], degrees: int, level: float) -> Regression:
    design = columns | natural_spline(risk.now.astype(float), "time", degrees)
    return gee_logistic(risk.label, design, risk.image, link="cloglog", structure="independence", level=level)


def _contrasts(each: Float[np.ndarray, "image 2 3 time"], level: float, resamples: int, draws: int, seed: int) -> dict[str, Contrast]:
    both = each[(each[:, :, 0, 0] > 0).all(axis=1)]  # at risk at the first time: not missing
    names = (*MEANS, "incidence")
    if len(both) < 2:
        return {name: Contrast(*(np.nan,) * 4, len(both), "an interval needs at least 2 images with both arms") for name in names}
    shape = both.shape[1:]
    flat = both.reshape(len(both), -1)

    def of(drawn: Int[np.ndarray, "*resample drawn"]) -> Float[np.ndarray, " quantity *resample"]:
        values = _scalars(table((multiplicity_of_images(drawn, len(both)) @ flat).reshape(*drawn.shape[:-1], *shape)))
        return values[..., 1] - values[..., 0]

    def of_counts(summed: Float[np.ndarray, "*draw count"]) -> Float[np.ndarray, " quantity *draw"]:
        return _scalars(table(summed.reshape(*summed.shape[:-1], *shape[1:])))

    first, second = (both[:, arm].reshape(len(both), -1) for arm in (0, 1))
    p = swap_test(second, first, of_counts, draws=draws, seed=seed)
    found = cluster_bca(of, len(both), level=level, resamples=resamples, seed=seed)
    rows = zip(names, _stacked(found).tolist(), p.tolist(), found.reason, strict=True)
    return {name: Contrast(one, low, high, chance, len(both), reason) for name, (one, low, high), chance, reason in rows}


def _scalars(found: LifeTable) -> Float[np.ndarray, " quantity *row"]:
    return np.stack([*(getattr(found, name) for name in MEANS), found.incidence[..., -1]])


def _stacked(found: Interval) -> Float[np.ndarray, "quantity 3"]:
    return np.stack([found.estimate, found.low, found.high], axis=1)
