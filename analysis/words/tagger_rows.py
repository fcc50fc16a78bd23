"""The perceptron tagger's scores by rows of numbers: the labels that NLTK's model gives, in a fraction of the time.

NLTK adds weights label by label in Python. Here a feature's weights are one row over all labels, made when the feature is first met, and
rows are added in the order of the features: the same sums in the same order, so the same labels, ties included.
"""

from collections.abc import Mapping
from typing import Any

import numpy as np


class RowModel:
    """Stands where a tagger of NLTK holds its model; predicts only.

    Parameters
    ----------
    weights : by feature, by label; not changed
    classes : all labels
    """

    def __init__(self, weights: Mapping[str, Mapping[str, float]], classes: Any):
        self.weights, self.classes = weights, classes
        # NLTK takes the last label of the alphabet among equals, argmax the first of the row
        self._labels = sorted(classes, reverse=True)
        self._column = {label: column for column, label in enumerate(self._labels)}
        self._rows: dict[str, np.ndarray] = {}

    def predict(self, features: Mapping[str, int], return_conf: bool = False) -> tuple[str, None]:
        """The label of the largest score; no confidence, which nobody here asks for."""
        scores, rows, weights = np.zeros(len(self._labels)), self._rows, self.weights
        for feature, value in features.items():
            if feature in weights:
                row = rows.get(feature)
                row = self._row(feature) if row is None else row
                scores += row if value == 1 else value * row
        return self._labels[scores.argmax()], None

    def _row(self, feature: str) -> np.ndarray:
        row = np.zeros(len(self._labels))
        for label, weight in self.weights[feature].items():
            # a weight of a label that is no class can never win
            if label in self._column:
                row[self._column[label]] = weight
        self._rows[feature] = row
        return row
