"""Captions as counts by image: the measures equal the metric's own aggregate, and the comparison knows its degenerate cases."""

import numpy as np
import pytest
import xarray as xr

from analysis.captions.counts import ALL_COUNTS, MEASURES, caption_counts, caption_rows, measures
from analysis.metrics.chair import count, ratios, score_caption

ANNOTATIONS = {
    "images": [{"id": i} for i in range(3)],
    "categories": [{"id": 17, "name": "cat"}, {"id": 18, "name": "dog"}],
    "annotations": [{"image_id": i, "category_id": 17 + i % 2} for i in range(3)],
}
TRUTH = [{"cat"}, {"dog"}, {"cat"}]
TEXTS = {
    "baseline": ["There is a cat. There is a cat.", "A dog is here.", "There is a cat and a cup."],
    "kvsmooth": ["There is a cat. A dog, a cat and a cup.", "A cat sits. A dog is here.", "It is nice."],
}


@pytest.fixture
def counts():
    captions = xr.DataArray(np.array(list(TEXTS.values()), dtype=object), {"arm": list(TEXTS), "image": range(3)}, ("arm", "image"))
    return caption_counts(captions, ANNOTATIONS)


@pytest.mark.parametrize("arm", list(TEXTS))
def test_measures_equal_the_metrics_aggregate(counts, arm):
    expected = ratios(count(score_caption(text, truth) for text, truth in zip(TEXTS[arm], TRUTH, strict=True)).sum(0))
    found = dict(zip(MEASURES, measures(counts.sel(arm=arm).values.sum(axis=0)), strict=True))
    for name in ("chair_s", "chair_i", "recall", "precision", "f1", "length", "mentions"):
        assert found[name] == pytest.approx(float(expected[name])), name


def test_hazard_counts_mentions_up_to_the_first_hallucination(counts):
    at_risk = counts.sel(count="at_risk")
    # cat, dog (absent) | cat (absent) | none
    np.testing.assert_array_equal(at_risk.sel(arm="kvsmooth"), [2, 1, 0])
    found = dict(zip(MEASURES, measures(counts.sel(arm="kvsmooth").values.sum(axis=0)), strict=True))
    assert found["hazard"] == pytest.approx(2 / 3)


def test_rows_hold_both_arms_and_their_difference(counts):
    rows = {row.name: row for row in caption_rows(counts)}
    difference = rows["free/chair_i/kvsmooth - baseline"]
    assert difference.estimate == pytest.approx(rows["free/chair_i/kvsmooth"].estimate - rows["free/chair_i/baseline"].estimate)
    assert 0 < difference.p <= 1
    assert len(rows) == 3 * len(MEASURES)


def test_images_without_a_caption_in_one_arm_are_not_paired(counts):
    counts[1, 2] = np.nan
    rows = {row.name: row for row in caption_rows(counts)}
    assert rows["free/chair_s/baseline"].n == 3
    assert rows["free/chair_s/kvsmooth - baseline"].n == 2


def test_a_missing_arm_or_a_single_image_gives_reasons(counts):
    counts[1] = np.nan
    for row in caption_rows(counts):
        assert row.reason or row.where["contrast"] == "baseline"
    for row in caption_rows(counts.isel(image=[0])):
        assert row.reason
        assert np.isnan(row.interval).all()


def test_counts_keep_their_names(counts):
    assert list(counts["count"].values) == list(ALL_COUNTS)
