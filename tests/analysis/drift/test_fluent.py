"""NLL and broken captions beside CHAIR of free captions: by hand, whoever was recorded first, and what cannot be read."""

import json

import numpy as np
import pytest
import xarray as xr

from analysis.captions.counts import ALL_COUNTS, caption_counts
from analysis.drift.findings import paragraph
from analysis.drift.fluent import caption_fluency, free_rows
from analysis.language import models
from analysis.language.fluency import fluency, shuffled
from analysis.language.limits import broken, limit
from analysis.question.question import by_name
from analysis.stats.rows import as_json
from tests.analysis.language.words import saved_model

WORDS = "a dog sees the cat . it runs to a tree and the dog waits below until night , spoon"
PLAIN = ("a dog sees the cat .", "it runs to a tree .", "the dog waits below .", "night and the cat .", "a dog .")
LOOP = "a spoon , a spoon , a spoon , a spoon , a spoon ."
TREATED = (LOOP, LOOP, "the dog waits below .", None, "the cat .")
MOST = 4
"""The last caption is not read; of the fourth image one arm has none."""


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    return models.language_model(str(saved_model(tmp_path_factory.mktemp("fluent") / "model", WORDS)))


@pytest.fixture
def reduced(tiny, monkeypatch):
    monkeypatch.setattr(models, "language_model", lambda name: tiny)
    truth = {"images": [{"id": i} for i in range(5)], "annotations": [], "categories": []}

    def made(order):
        said = {"baseline": PLAIN, "kvsmooth": TREATED}
        captions = xr.DataArray([said[arm] for arm in order], coords={"arm": list(order), "image": range(5)}, dims=("arm", "image"))
        return caption_fluency(captions, MOST, 0).assign(caption_counts=caption_counts(captions, truth))

    return made


def test_rows_are_those_of_plain_loops_whoever_was_recorded_first(tiny, reduced):
    plain, treated = (fluency(tiny, texts[:3]) for texts in (PLAIN, TREATED))
    above = limit(plain)
    wrong = [broken(texts[:3], nll, above) for texts, nll in ((PLAIN, plain), (TREATED, treated))]
    other = fluency(tiny, shuffled(PLAIN[:MOST], 0))[:3] > above
    for order in (("baseline", "kvsmooth"), ("kvsmooth", "baseline")):
        rows = {row.name: row for row in free_rows(reduced(order))}
        assert rows["free/nll/baseline"].estimate == pytest.approx(plain.mean(), rel=1e-6)
        assert rows["free/nll/kvsmooth"].estimate == pytest.approx(treated.mean(), rel=1e-6)
        assert rows["free/nll/kvsmooth - baseline"].estimate == pytest.approx((treated - plain).mean(), rel=1e-6)
        assert rows["free/broken/kvsmooth"].estimate == pytest.approx(wrong[1].mean())
        assert rows["free/broken/kvsmooth - baseline"].estimate == pytest.approx(wrong[1].mean() - wrong[0].mean())
        assert rows["free/broken/baseline, words shuffled"].estimate == pytest.approx(other.mean())
        assert {row.n for row in rows.values()} == {3}, "an image without both captions takes no part"
        change = rows["free/broken/kvsmooth - baseline"]
        assert change.where == {"regime": "free", "quantity": "broken", "contrast": "kvsmooth - baseline"}
        assert change.p <= change.p_adjusted, "by Holm over both, apart from the measures of all captions"


def test_a_caption_of_fewer_than_two_tokens_everywhere_leaves_no_row(tiny, monkeypatch):
    monkeypatch.setattr(models, "language_model", lambda name: tiny)
    captions = xr.DataArray([["dog"], [None]], coords={"arm": ["baseline", "kvsmooth"], "image": [1]}, dims=("arm", "image"))
    counts = xr.DataArray(
        np.zeros((2, 1, len(ALL_COUNTS))), coords={**captions.coords, "count": list(ALL_COUNTS)}, dims=("arm", "image", "count")
    )
    assert free_rows(caption_fluency(captions, 1, 0).assign(caption_counts=counts)) == []


def test_the_page_says_of_how_many_and_what_broken_is(reduced):
    rows = by_name(json.loads(as_json(free_rows(reduced(("baseline", "kvsmooth"))), {}))["results"])
    said = paragraph(rows, {"provenance": {"config": {"level": 0.95}}})
    assert "of the first 3 captions of each arm" in said
    assert "| broken captions, share | 0.333 | 0.667 |" in said
    assert "| NLL of a caption, nat a token |" in said
