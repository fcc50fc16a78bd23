"""Shares of sentences that the grammar can write: by plain division, with a test of pairs."""

import numpy as np
import pytest
import xarray as xr

from analysis.dose.grammar import grammar_rows, written
from probes.subjects.emoji.reading import writes


def test_sentences_are_counted():
    captions = ["There is only one dog in the image. The dog is to the right of the dog.", "The rest of the view is rather plain.", ""]
    np.testing.assert_array_equal(written(captions, writes), [[1, 2], [1, 1], [0, 0]])


def planted(images=40, seed=0):
    rng = np.random.default_rng(seed)
    total = rng.integers(5, 9, (2, images))
    test = np.stack([rng.binomial(total[0], 0.95), total[0]], -1), np.stack([rng.binomial(total[1], 0.3), total[1]], -1)
    curve = np.stack([test[0][:10], test[0][10:20]])
    variables = {"written": (("arm", "image", "of"), np.stack(test)), "validation_written": (("dose", "scene", "of"), curve)}
    return xr.Dataset(variables, {"arm": ["none", "published"], "dose": [0.0, 0.7]})


def test_rows_are_shares_and_their_paired_difference():
    reduced = planted()
    rows = {row.name: row for row in grammar_rows(reduced, seed=0, level=0.95)}
    share = [one[:, 0].sum() / one[:, 1].sum() for one in reduced["written"].values]
    assert [rows[f"test/written/{arm}"].estimate for arm in ("none", "published")] == pytest.approx(share)
    row = rows["test/written/published - none"]
    assert row.estimate == pytest.approx(share[1] - share[0])
    assert row.interval[0] < row.estimate < row.interval[1] < 0
    assert row.p < 0.001
    assert rows["validation/written/0.7"].n == 10


def test_without_a_difference_nothing_is_found_and_without_counts_nothing_is_said():
    reduced = planted()
    reduced["written"].values[1] = reduced["written"].values[0][::-1]
    row = {row.name: row for row in grammar_rows(reduced, 0, 0.95)}["test/written/published - none"]
    assert row.estimate == pytest.approx(0)
    assert row.p > 0.5
    assert grammar_rows(reduced.drop_vars("written"), 0, 0.95) == []
