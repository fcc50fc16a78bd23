"""Mentions of one sentence and word against slow pairs; a confound by either is gone within it, a planted loss of attention is not."""

import numpy as np
import pandas
import pytest
import xarray as xr

from analysis.onset import matching
from analysis.onset.findings import _matched
from analysis.onset.matching import matched_rows, sentence_numbers
from analysis.onset.names import SCORES, STRATA
from analysis.onset.reduce import reduce
from tests.analysis.onset.planted import planted
from tests.analysis.synthetic import recording

ARM = "baseline"


@pytest.fixture(autouse=True)
def _few_resamples(monkeypatch):
    monkeypatch.setattr(matching, "RESAMPLES", 199)


def test_a_sentence_is_told_by_the_marks_before_the_mention():
    made = recording(images=2, steps=20, regime="free")
    made["caption"] = made["caption"].copy()
    texts = ["A cat. Is there a dog? Yes... a cup! A bus", "cat near v2.5 of a cup. Dog"]
    made["caption"][:] = np.array([texts, texts], dtype=object)
    rows = [(arm, image, text.index(word)) for arm in (0, 1) for image, text in enumerate(texts) for word in ("cat", "cup")]
    rows += [(0, 0, texts[0].index("bus")), (0, 0, texts[0].index("dog")), (1, 1, texts[1].index("Dog"))]
    mentions = pandas.DataFrame(rows, columns=["arm_index", "image_index", "start"])
    assert sentence_numbers(made, mentions).tolist() == [0, 3, 0, 0, 0, 3, 0, 0, 4, 1, 1]


def mentions_of(seed, *, onset=0.0, images=60, each=10, words=6, sentences=4):
    """Reduced data of mentions whose attention and truth both go with the word and the sentence; `onset` ties them beyond that."""
    draw = np.random.default_rng(seed)
    count = images * each
    word, sentence = draw.integers(0, words, count), draw.integers(0, sentences, count)
    absent = draw.random(count) < 0.05 + 0.1 * word + 0.08 * sentence
    mass = -0.5 * word - 0.6 * sentence + draw.normal(0, 0.5, count) - onset * absent
    score = np.full((count, len(SCORES)), np.nan)
    for name, values in {"mass": -mass, "entropy": draw.normal(size=count), "position": 10.0 * sentence + draw.random(count)}.items():
        score[:, list(SCORES).index(name)] = values
    columns = {"sentence": sentence, "word": word, "absent": absent.astype(np.int8), "arm_index": np.zeros(count, dtype=int)}
    columns["image_index"] = np.repeat(np.arange(images), each)
    data = xr.Dataset({"score": (("mention", "score_name"), score), **{name: ("mention", values) for name, values in columns.items()}})
    return data.assign_coords(score_name=list(SCORES))


def slow_auroc(score, absent, strata):
    """Over all pairs of a hallucinated and a true mention of one stratum; ties half."""
    wins = pairs = 0.0
    for one in np.flatnonzero(absent):
        for other in np.flatnonzero(~absent):
            if strata[one] == strata[other]:
                pairs += 1
                wins += float(score[one] > score[other]) + 0.5 * float(score[one] == score[other])
    return wins / pairs, pairs


@pytest.mark.parametrize("stratum", STRATA)
def test_equals_a_loop_over_pairs(stratum):
    data = mentions_of(1, onset=0.3, images=15)
    rows = {row.name: row for row in matched_rows(data, ARM, 0, 0.95)}
    strata = list(zip(*(data[part].values.tolist() for part in STRATA[stratum]), strict=True))
    for name in ("mass", "position"):
        row = rows[f"matched/{stratum}/{name}/{ARM}"]
        score = data["score"].sel(score_name=name).values
        assert (row.estimate, row.effect["pairs"]) == pytest.approx(slow_auroc(score, data["absent"].values == 1, strata))
    assert f"matched/{stratum}/excess/{ARM}" not in rows  # not recorded


def test_a_confound_by_sentence_and_word_is_gone_within_both_and_only_there():
    rows = {row.name: row for row in matched_rows(mentions_of(2), ARM, 0, 0.95)}
    sentence, word, both = (rows[f"matched/{stratum}/mass/{ARM}"] for stratum in STRATA)
    assert min(sentence.interval[0], word.interval[0]) > 0.52
    assert both.interval[0] < 0.5 < both.interval[1]
    assert both.p_adjusted > 0.05 > max(sentence.p_adjusted, word.p_adjusted)


def test_a_planted_loss_is_found_within_both():
    row = {row.name: row for row in matched_rows(mentions_of(3, onset=0.5), ARM, 0, 0.95)}[f"matched/sentence and word/mass/{ARM}"]
    assert row.interval[0] > 0.6
    assert row.p_adjusted < 0.001


def test_reduced_data_hold_the_strata_and_the_paragraph_tells_them():
    data = reduce(*planted(images=30))
    assert (data["sentence"].values == 0).all()  # planted mentions start at the first character
    own = data["arm_index"].values == 0
    assert len(np.unique(data["word"].values[own])) == 12
    rows = {row.name: {**vars(row), "interval": row.interval} for row in matched_rows(data, ARM, 0, 0.95)}
    plain = {"estimate": 0.5, "interval": (0.4, 0.6)}
    told = _matched(rows | {f"auroc/{form}/mass/{ARM}": plain for form in ("pooled", "stratified")})
    assert "in the same sentence and word" in told
    assert f"in {rows[f'matched/sentence and word/mass/{ARM}']['effect']['pairs']:.0f} pairs" in told


def test_data_of_an_earlier_version_tell_nothing():
    data = mentions_of(4).drop_vars("sentence")
    assert list(matched_rows(data, ARM, 0, 0.95)) == []
    assert _matched({}) == ""
