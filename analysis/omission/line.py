"""The omission line: CHAIR's counts of captions from which ever more is dropped, exactly, in expectation over what chance decides.

At random every unit is kept with the same probability, independently. By an order, units are dropped from the worst on over all captions
together; units of one score, in an order that a seed fixes. Nothing is added and nothing is replaced, which is the point of the line.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from analysis.metrics.chair import COUNTS as ALL
from analysis.metrics.chair import ratios
from analysis.omission.mentions import Mentions
from analysis.omission.rules import ORDERS, RULES, UNITS, Unit, share

COUNTS = ("captions", "hallucinating", "mentions", "hallucinated", "recalled", "truth", "objects")
"""The first of `analysis.metrics.chair.COUNTS`, in their order; of what is left, a length would mean nothing."""
MEASURES = ("chair_s", "chair_i", "recall", "precision", "f1")
Kept = Float[np.ndarray, "share caption count"]
SHARES = tuple(round(0.025 * i, 3) for i in range(2, 41))
"""Shares of the units that are kept, rising to all."""


@dataclass(frozen=True)
class Line:
    """Counts of the captions at every share kept.

    Attributes
    ----------
    rule, unit : of `RULES` and `UNITS`
    shares : of the units that are kept, rising, the last 1
    counts : in the order of `COUNTS`
    """

    rule: str
    unit: str
    shares: tuple[float, ...]
    counts: Kept

    @property
    def curve(self) -> Float[np.ndarray, "share measure"]:
        """The measures over all captions, in the order of `MEASURES`."""
        return measures(self.counts.sum(1))


def lowest(lines: Sequence[Line], measure: str, recall: Float[np.ndarray, " place"]) -> Float[np.ndarray, " place"]:
    """The best that any of the lines gives at each recall: the least of a measure of `MEASURES`, between the shares by interpolation.

    A line that does not reach down to a recall gives its own lowest end there.
    """
    at = MEASURES.index(measure)
    return np.min([np.interp(recall, line.curve[:, MEASURES.index("recall")], line.curve[:, at]) for line in lines], axis=0)


def omission_line(
    mentions: Mentions, rule: str = "random", unit: str = "mention", shares: tuple[float, ...] = SHARES, seed: int = 0
) -> Line:
    """The line of one rule.

    Parameters
    ----------
    rule : of `RULES`
    unit : what goes as a whole, of `UNITS`
    shares : of the units, in (0, 1], rising
    seed : of the order among units of one score

    Raises
    ------
    ValueError : no such rule or unit, or shares that do not rise to 1
    """
    if rule not in RULES or unit not in UNITS:
        raise ValueError(f"omission_line takes a rule of {', '.join(RULES)} and a unit of {', '.join(UNITS)}; got {rule!r}, {unit!r}.")
    if list(shares) != sorted({*shares}) or shares[0] <= 0 or shares[-1] != 1:
        raise ValueError(f"omission_line.shares must rise from above 0 to 1; got {shares}.")
    number = UNITS[unit](mentions)
    kept = _at_random(mentions, number, shares) if rule == "random" else _in_order(mentions, number, shares, rule, seed)
    return Line(rule, unit, tuple(shares), kept)


def counts_of(mentions: Mentions) -> Float[np.ndarray, "caption count"]:
    """The captions as they are."""
    return omission_line(mentions, shares=(1.0,)).counts[0]


def measures(total: Float[np.ndarray, "*draw count"]) -> Float[np.ndarray, "*draw measure"]:
    """CHAIR's measures from summed counts, in the order of `MEASURES`; NaN where a denominator is zero."""
    total = np.asarray(total, dtype=float)
    found = ratios(np.concatenate([total, np.zeros((*total.shape[:-1], len(ALL) - len(COUNTS)))], axis=-1))
    return np.stack([found[name] for name in MEASURES], axis=-1)


def _at_random(m: Mentions, unit: Unit, shares: tuple[float, ...]) -> Kept:
    """Kept independently with probability s: what is named in k units is left with probability 1 - (1 - s)^k."""
    left = 1 - np.asarray(shares)[:, None, None]
    carriers = _carriers(m, unit)
    objects = np.where(carriers > 0, 1 - left**carriers, 0.0)
    wrong = (share(m.absent, unit) > 0).sum(1)
    ones, named = np.ones((len(shares), len(unit))), m.there.sum(1)
    kept = [ones, 1 - left[..., 0] ** wrong, (1 - left[..., 0]) * named, (1 - left[..., 0]) * (m.absent & m.there).sum(1)]
    kept += [(objects * ~m.absent).sum(2), ones * m.truth, objects.sum(2)]
    return np.stack(kept, axis=-1)


def _in_order(m: Mentions, unit: Unit, shares: tuple[float, ...], rule: str, seed: int) -> Kept:
    """Units by rank over all captions: an object is left as long as the best of its units is."""
    sizes = unit.max(1) + 1
    score = ORDERS[rule](m, unit)
    there = np.arange(score.shape[1]) < sizes[:, None]
    chance = np.random.default_rng(seed).permutation(there.sum())
    rank = np.full(score.shape, np.inf)
    rank[there] = np.argsort(np.lexsort((chance, score[there])))
    of_mention = np.where(m.there, np.take_along_axis(rank, np.maximum(unit, 0), 1), np.inf)
    of_object = np.full_like(of_mention, np.inf)
    np.minimum.at(of_object, (np.arange(len(unit))[:, None], m.first), of_mention)
    wrong = np.where(m.absent, of_mention, np.inf)
    kept = []
    for part in shares:
        bound = round(part * there.sum())
        objects = of_object < bound
        kept.append(
            [
                np.ones(len(unit)),
                (wrong < bound).any(1),
                (of_mention < bound).sum(1),
                (wrong < bound).sum(1),
                (objects & ~m.absent).sum(1),
                m.truth,
                objects.sum(1),
            ]
        )
    return np.moveaxis(np.array(kept, dtype=float), 1, 2)


def _carriers(m: Mentions, unit: Unit) -> Int[np.ndarray, "caption mention"]:
    """At the first mention of each object, how many units name it; 0 elsewhere."""
    width = m.object.shape[1]
    row = np.arange(len(unit))[:, None] * width
    pairs = np.unique(((row + m.first) * width + unit)[unit >= 0])
    return np.bincount(pairs // width, minlength=m.object.size).reshape(m.object.shape)
