"""How outcomes follow the amount of smoothing, whether guidance leaves that curve, and whether keys and values act apart."""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from jaxtyping import Float

from analysis.cells.arms import Arms, BootstrapBlock, Values
from analysis.cells.measures import MEASURES, TESTED
from analysis.cells.names import BASELINE, PAPER
from analysis.stats.bootstrap import Interval
from analysis.stats.exchange import exchange_test
from analysis.stats.paired import sign_flip
from analysis.stats.rows import Row

_ORDER = list(MEASURES)
_TESTED = [_ORDER.index(name) for name in TESTED]


def dose_blocks(arms: Arms, seed: int) -> list[BootstrapBlock]:
    """Blocks for what the cells that are there allow: K x V needs four cells, a curve three constant rates."""
    found = []
    if {BASELINE, "keys only", "values only", PAPER} <= set(arms.names):
        found.append(interaction(arms))
    curve = constants(arms)
    if len(curve) >= 3:
        rates = [realised(arms, name) for name in curve]
        found.append(trend(arms, curve, rates, seed))
        found += [off_curve(arms, curve, guided)] if (guided := guided_cells(arms)) else []
    return found


def constants(arms: Arms) -> list[str]:
    """The baseline and the cells of constant rate, by their rate."""
    found = [name for name in arms.names if name.startswith("constant ")]
    return ([BASELINE] if BASELINE in arms.names else []) + sorted(found, key=lambda name: realised(arms, name))


def guided_cells(arms: Arms) -> list[str]:
    """The cells of the paper's rule, by their centre."""
    found = [name for name in arms.names if name == PAPER or name.startswith("lambda_ref ")]
    return sorted(found, key=lambda name: realised(arms, name))


def realised(arms: Arms, name: str) -> float:
    """The mean rate that a cell applied."""
    i, rate = arms.index(name), _ORDER.index("rate")
    return float(arms.above[i, :, rate].sum() / max(arms.below[i, :, rate].sum(), 1.0))


def interaction(arms: Arms) -> BootstrapBlock:
    """(both - keys) - (values - neither): what smoothing both does beyond the sum of its parts."""
    both, keys, values_only, neither = (arms.index(name) for name in (PAPER, "keys only", "values only", BASELINE))

    def of(values: Values) -> Float[np.ndarray, "*draw tested"]:
        return ((values[..., both, :] - values[..., keys, :]) - (values[..., values_only, :] - values[..., neither, :]))[..., _TESTED]

    return BootstrapBlock(of, lambda interval: _rows(arms, interval, "keys x values", "interaction", ""))


def trend(
    arms: Arms, curve: Sequence[str], doses: Sequence[float], seed: int, about: str = "dose", unit: str = " per unit of rate"
) -> BootstrapBlock:
    """Least-squares slope of each outcome on rising doses, and Kendall's tau over them.

    The test is Page's: each image's outcomes weighted by the rank of their dose; reversing the doses of an image flips its sign.

    Parameters
    ----------
    curve, doses : cells by rising dose, and the dose of each
    about, unit : what the rows are called, and what their slopes are per
    """
    places = [arms.index(name) for name in curve]
    centred = np.asarray(doses, dtype=float) - np.mean(doses)
    later, earlier = np.tril_indices(len(curve), -1)

    def of(values: Values) -> Float[np.ndarray, "*draw quantity"]:
        outcome = values[..., places, :][..., _TESTED]
        slope = np.tensordot(outcome, centred / (centred**2).sum(), axes=(-2, 0))
        sign = np.sign(outcome[..., later, :] - outcome[..., earlier, :])
        untied = np.abs(sign).sum(-2)
        with np.errstate(invalid="ignore", divide="ignore"):
            tau = sign.sum(-2) / np.sqrt(untied * len(later))
        return np.concatenate([slope, tau], -1)

    def rows(interval: Interval) -> list[Row]:
        p, _ = sign_flip(page_scores(arms, places), seed=seed)
        half = len(_TESTED)
        first, second = (Interval(interval.estimate[s], interval.low[s], interval.high[s], interval.reason[s]) for s in _halves(half))
        return _rows(arms, first, about, "slope", unit, p) + _rows(arms, second, about, "tau", "tau-b")

    return BootstrapBlock(of, rows)


def page_scores(arms: Arms, places: Sequence[int]) -> Float[np.ndarray, "image tested"]:
    """Each image's sum over doses of (rank - mean rank) times its score against the ratio pooled over doses."""
    above, below = arms.above[places][..., _TESTED], arms.below[places][..., _TESTED]
    with np.errstate(invalid="ignore", divide="ignore"):
        score = above - above.sum((0, 1)) / below.sum((0, 1)) * below
    score[np.abs(score) < 1e-9] = 0.0
    rank = np.arange(len(places)) - (len(places) - 1) / 2
    return np.tensordot(rank, score, axes=(0, 0))


def off_curve(arms: Arms, curve: Sequence[str], guided: Sequence[str]) -> BootstrapBlock:
    """Each guided cell minus the curve of constant rates, read off (linearly) at the guided cell's own realised mean rate."""
    above = above_curve(arms, curve, guided)

    def of(values: Values) -> Float[np.ndarray, "*draw quantity"]:
        change = above(values)[..., _TESTED]
        return change.reshape(*change.shape[:-2], -1)

    def rows(interval: Interval) -> list[Row]:
        found = []
        for i, name in enumerate(guided):
            part = slice(i * len(_TESTED), (i + 1) * len(_TESTED))
            own = Interval(interval.estimate[part], interval.low[part], interval.high[part], interval.reason[part])
            found += _rows(arms, own, f"{name} - constant of the same mean rate", "off the curve", "")
        return found

    return BootstrapBlock(of, rows)


def above_curve(
    arms: Arms, curve: Sequence[str], guided: Sequence[str], part: Mapping[str, float] | None = None
) -> Callable[[Values], Float[np.ndarray, "*draw guided measure"]]:
    """Function of measures: each guided cell minus the curve, read off (linearly) at the cell's own dose.

    Parameters
    ----------
    curve : cells by rising dose; their doses are taken as fixed, those of the guided cells as they are in each draw
    part : by cell, what its mean rate is multiplied by to be its dose; 1 where it is not named
    """
    places, cells, at = [arms.index(name) for name in curve], [arms.index(name) for name in guided], _ORDER.index("rate")
    share = [(part or {}).get(name, 1.0) for name in guided]
    rate = np.array([realised(arms, name) * (part or {}).get(name, 1.0) for name in curve])

    def of(values: Values) -> Float[np.ndarray, "*draw guided measure"]:
        outcome = values[..., places, :]
        found = []
        for cell, of_all in zip(cells, share, strict=True):
            own = values[..., cell, at] * of_all
            upper = np.clip(np.searchsorted(rate, own), 1, len(rate) - 1)
            weight = ((own - rate[upper - 1]) / (rate[upper] - rate[upper - 1]))[..., None]
            low = np.take_along_axis(outcome, (upper - 1)[..., None, None], axis=-2)[..., 0, :]
            high = np.take_along_axis(outcome, upper[..., None, None], axis=-2)[..., 0, :]
            found.append(values[..., cell, :] - ((1 - weight) * low + weight * high))
        return np.stack(found, -2)

    return of


def _halves(half: int) -> tuple[slice, slice]:
    return slice(0, half), slice(half, 2 * half)


def _rows(arms: Arms, interval: Interval, about: str, kind: str, unit: str, p: np.ndarray | None = None) -> list[Row]:
    return [
        Row(
            name=f"{about}/{kind}/{measure}",
            estimate=interval.estimate[i],
            unit=unit if kind == "tau" else MEASURES[measure].unit + unit,
            n=arms.images,
            interval=(interval.low[i], interval.high[i]),
            test="" if p is None else exchange_test(arms.images, "the order of the doses"),
            p=np.nan if p is None else p[i],
            where={"family": about, "kind": kind, "measure": measure},
            reason=interval.reason[i],
        )
        for i, measure in enumerate(TESTED)
    ]
