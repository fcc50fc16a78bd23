"""Yes-or-no questions counted strategy by strategy, yes being positive: accuracy, precision, recall, F, and the share of yes.

The average of a measure is the mean over the strategies, so that F1 is the mean of their F1, not the F1 of pooled counts.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float

from analysis.datasets.pope_question import STRATEGIES, PopeQuestion
from analysis.metrics.metric import Measure

CELLS = ("true_positive", "false_positive", "true_negative", "false_negative", "neither")
MEASURES = {
    "accuracy": Measure("accuracy", True),
    "precision": Measure("precision", True),
    "recall": Measure("recall", True),
    "f1": Measure("F1", True),
    "f_beta": Measure("F_β", True),
    "yes_ratio": Measure("yes ratio", None),
}
_EMPTY = {
    "accuracy": "no question was asked",
    "precision": "no answer is yes",
    "recall": "no question about what is there was answered yes or no",
    "f1": "no yes is right",
    "f_beta": "no yes is right",
    "yes_ratio": "no question was asked",
}


@dataclass(frozen=True)
class PolledAnswer:
    """One question with the answer as it was read.

    Attributes
    ----------
    question : what was asked
    prediction : "yes", "no", or "" (neither)
    """

    question: PopeQuestion
    prediction: str

    @property
    def cell(self) -> str:
        """Which of ``CELLS`` the answer falls into."""
        if not self.prediction:
            return "neither"
        right = "true" if self.prediction == self.question.label else "false"
        return f"{right}_{'positive' if self.prediction == 'yes' else 'negative'}"

    def as_dict(self) -> dict[str, str | bool]:
        """What goes into a results file."""
        asked = self.question
        right = self.prediction == asked.label
        return {"key": asked.key, "object": asked.object, "label": asked.label, "prediction": self.prediction, "right": right}


@dataclass(frozen=True)
class PollingTable:
    """Counts and measures of some strategies.

    Attributes
    ----------
    strategies : in the order of the published tables
    beta : of F_beta, which weighs recall beta times as much as precision; None leaves it out
    """

    strategies: tuple[str, ...]
    beta: float | None = None
    counts: tuple[str, ...] = field(init=False)

    def __post_init__(self):
        object.__setattr__(self, "counts", tuple(f"{cell}/{strategy}" for strategy in self.strategies for cell in CELLS))

    @property
    def measures(self) -> Mapping[str, Measure]:
        """Averages over the strategies first, then "<measure>/<strategy>"."""
        means = {name: measure for name, measure in MEASURES.items() if name != "f_beta" or self.beta is not None}
        return means | {f"{name}/{strategy}": measure for strategy in self.strategies for name, measure in means.items()}

    def count(self, polled: Iterable[PolledAnswer]) -> tuple[int, ...]:
        """How many answers fall into each of `counts`."""
        found = dict.fromkeys(self.counts, 0)
        for one in polled:
            found[f"{one.cell}/{one.question.strategy}"] += 1
        return tuple(found.values())

    def ratios(self, total: Float[np.ndarray, "*draw count"]) -> Mapping[str, Float[np.ndarray, "*draw"]]:
        """The measures from summed counts; NaN where a denominator is zero."""
        table = np.asarray(total, dtype=float).reshape(*np.shape(total)[:-1], len(self.strategies), len(CELLS))
        apart = _measured(dict(zip(CELLS, np.moveaxis(table, -1, 0), strict=True)), self.beta)
        mean = {name: np.asarray(np.mean(value, axis=-1)) for name, value in apart.items()}
        each = {f"{name}/{s}": np.asarray(value[..., i]) for i, s in enumerate(self.strategies) for name, value in apart.items()}
        return {name: (mean | each)[name] for name in self.measures}

    def reasons(self, total: Float[np.ndarray, "count"]) -> Mapping[str, str]:
        """By measure, why it is NaN."""
        found = {}
        values = self.ratios(total)
        for name, value in values.items():
            measure, _, strategy = name.partition("/")
            if np.isnan(value):
                undefined = [s for s in self.strategies if np.isnan(values[f"{measure}/{s}"])]
                found[name] = _EMPTY[measure] if strategy else f"{', '.join(undefined)}: {_EMPTY[measure]}"
        return found


class Polling(ABC):
    """What metrics of yes and no share: counts, measures and ratios of the strategies that were asked; `_table` holds them."""

    @property
    @abstractmethod
    def _table(self) -> PollingTable:
        """Of the strategies that were asked."""

    @property
    def counts(self) -> tuple[str, ...]:
        """Answers of each strategy that are rightly or wrongly yes or no, or neither."""
        return self._table.counts

    @property
    def measures(self) -> Mapping[str, Measure]:
        """Averages over the strategies first, then "<measure>/<strategy>"."""
        return self._table.measures

    def ratios(self, total: Float[np.ndarray, "*draw count"]) -> Mapping[str, Float[np.ndarray, "*draw"]]:
        """The measures from summed counts; NaN where a denominator is zero."""
        return self._table.ratios(total)

    def reasons(self, total: Float[np.ndarray, " count"]) -> Mapping[str, str]:
        """By measure, why it is NaN."""
        return self._table.reasons(total)


def strategies_of(questions: Sequence[PopeQuestion]) -> tuple[str, ...]:
    """The strategies that questions have, those of POPE first; all of POPE's where there is no question."""
    found = {question.strategy for question in questions}
    return (*(name for name in STRATEGIES if name in found), *sorted(found - set(STRATEGIES))) or STRATEGIES


def _measured(
    cell: Mapping[str, Float[np.ndarray, "*draw strategy"]], beta: float | None
) -> dict[str, Float[np.ndarray, "*draw strategy"]]:
    positive, negative = cell["true_positive"], cell["true_negative"]
    asked = sum(cell.values())
    with np.errstate(divide="ignore", invalid="ignore"):
        precision = positive / (positive + cell["false_positive"])
        recall = positive / (positive + cell["false_negative"])
        found = {
            "accuracy": (positive + negative) / asked,
            "precision": precision,
            "recall": recall,
            "f1": 2 * precision * recall / (precision + recall),
            "yes_ratio": (positive + cell["false_positive"]) / asked,
        }
        if beta is not None:
            found["f_beta"] = (1 + beta**2) * precision * recall / (beta**2 * precision + recall)
    return found
