"""CHAIR by thirds of a caption, beside CHAIR itself: ratios of summed counts with bootstrap intervals over images."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float

from analysis.metrics.chair import COUNTS, RATIOS, ChairRecord, count, ratios
from analysis.stats.bootstrap import Statistic, cluster_bca, multiplicity_of_images

THIRDS = ("first", "middle", "last")
EXTRA = (*(f"{what}_{third}" for third in THIRDS for what in ("mentions", "hallucinated")),)
COLUMNS = (*COUNTS, *EXTRA)
SHARES = {
    **{name: (above, below) for name, (above, below, _) in RATIOS.items()},
    **{f"hallucinated_{third}_third": (f"hallucinated_{third}", f"mentions_{third}") for third in THIRDS},
}


@dataclass(frozen=True)
class Estimate:
    """A measure over images: its value, its interval, and over how many images."""

    name: str
    estimate: float
    interval: tuple[float, float] | None
    n: int
    test: str = "BCa bootstrap over images"


def third(start: int, length: int) -> str:
    """The third of a caption, by characters, in which a mention starts."""
    return THIRDS[min(3 * start // max(length, 1), 2)]


def table(records: Sequence[ChairRecord], captions: Sequence[str]) -> Float[np.ndarray, "caption column"]:
    """Each caption's contribution to every one of ``COLUMNS``."""
    extra = np.zeros((len(records), len(EXTRA)))
    for row, (record, caption) in enumerate(zip(records, captions, strict=True)):
        for mention in record.mentions:
            where = third(mention.start, len(caption))
            extra[row, EXTRA.index(f"mentions_{where}")] += 1
            extra[row, EXTRA.index(f"hallucinated_{where}")] += mention.hallucinated
    return np.concatenate([count(records), extra], 1)


def shares(total: Float[np.ndarray, "*draw column"]) -> dict[str, Float[np.ndarray, "*draw"]]:
    """The measures from summed columns; NaN where a denominator is zero."""
    column = dict(zip(COLUMNS, np.moveaxis(np.asarray(total, dtype=float), -1, 0), strict=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = {name: np.asarray(column[above] / column[below]) for name, (above, below) in SHARES.items()}
    found["f1"] = ratios(np.asarray(total)[..., : len(COUNTS)])["f1"]
    found["late_minus_early"] = np.asarray(found["hallucinated_last_third"] - found["hallucinated_first_third"])
    return found


def estimates(counts: Float[np.ndarray, "caption column"], draws: int, seed: int) -> dict[str, Estimate]:
    """Every measure with its 95 % interval; None where the measure does not vary or is undefined."""
    found = cluster_bca(_statistic(counts), len(counts), resamples=draws, seed=seed)
    limits = [None if why else (float(low), float(high)) for low, high, why in zip(found.low, found.high, found.reason, strict=True)]
    values = shares(counts.sum(0))
    return {name: Estimate(name, float(values[name]), limit, len(counts)) for name, limit in zip(values, limits, strict=True)}


def _statistic(counts: Float[np.ndarray, "caption column"]) -> Statistic:
    return lambda drawn: np.stack([*shares(multiplicity_of_images(drawn, len(counts)) @ counts).values()])


def overlap(one: Mapping[int, frozenset[str]], other: Mapping[int, frozenset[str]]) -> float:
    """Mean over images of shared over all objects that two captions of an image name; images where neither names one are left out."""
    shared = [len(one[i] & other[i]) / len(one[i] | other[i]) for i in one if one[i] | other[i]]
    return float(np.mean(shared)) if shared else float("nan")
