"""The numbers that AMBER's reference prints of the same counts: percent, one decimal, every denominator 0.001 too large.

Published tables hold these. They differ from the unrounded measures by at most 0.05 and by what 0.001 does to small samples: Hal of a
single clean description is 0.1, and 100.0 of none.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from analysis.metrics.amber import GENERATIVE, GROUPS, RATES, AmberMetric

START = 0.001
"""Where the reference's denominators begin (its ``metrics.txt``)."""
SLACK = {"existence": 0.001}
"""What is added to the denominator of F1; 0.0001 for all others."""


def printed(metric: AmberMetric, total: Float[np.ndarray, " count"]) -> dict[str, float]:
    """Percent, as the reference prints it, of each measure that it prints.

    Parameters
    ----------
    total : the metric's counts, summed
    """
    column = dict(zip(metric.counts, np.asarray(total, dtype=float).tolist(), strict=True))
    found = {name: _percent(column[above], column[below]) for name, (above, below, _) in GENERATIVE.items()}
    clean = column["responses"] - column["hallucinating"]
    found["hal"] = round(100 - clean / (column["responses"] + START) * 100, 1)
    for group, dimensions in GROUPS.items():
        # counters of an attribute begin at 0.001 each and are summed; those of all questions are counters of their own
        start = START * len(dimensions) if group else START
        rates = {}
        for rate, (above, below, _) in RATES.items():
            rates[rate] = _percent(_summed(column, dimensions, above), _summed(column, dimensions, below), start)
        precision, recall = rates["precision"] / 100, rates["recall"] / 100
        rates["f1"] = round(2 * precision * recall / (precision + recall + SLACK.get(group, 0.0001)) * 100, 1)
        found |= {f"{group}_{rate}" if group else rate: value for rate, value in rates.items()}
    return {name: found[name] for name in metric.measures if name in found}


def _summed(column: dict[str, float], dimensions: Sequence[str], count: str) -> float:
    return sum(column[f"{dimension}_{count}"] for dimension in dimensions)


def _percent(above: float, below: float, start: float = START) -> float:
    return round(above / (below + start) * 100, 1)
