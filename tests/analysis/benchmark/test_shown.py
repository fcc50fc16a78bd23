"""Table and figure: percent in print only, published numbers never among the measured ones."""

import json
from pathlib import Path

import pytest
from matplotlib.colors import to_hex

from analysis.benchmark.figures import colours_of, compose, label
from analysis.benchmark.published import PUBLISHED, published
from analysis.benchmark.table import markdown
from analysis.language.metric import NLL_UNIT
from analysis.metrics.metric import is_share
from analysis.plots.style import ARM_COLOURS

STORED = Path(__file__).parents[3] / "figures" / "benchmark" / "chair" / "benchmark.json"


@pytest.fixture
def found():
    return json.loads(STORED.read_text())


def test_published_numbers_are_those_of_the_paper():
    values = {(one.subject, one.method, one.measure): one.value for one in PUBLISHED}
    assert values["LLaVA-1.5", "baseline", "chair_s"] == 0.418
    assert values["LLaVA-1.5", "KVSmooth", "chair_s"] == 0.182
    assert values["InstructBLIP", "KVSmooth", "f1"] == 0.751
    assert values["LLaVA-1.5", "KVSmooth", "response_hallucination"] == 0.167
    assert len(values) == len(PUBLISHED) == 34
    assert all(0 < one.value < 1 and one.source == "arXiv 2602.04268" for one in PUBLISHED)


@pytest.mark.parametrize(
    ("subject", "family"),
    [("owner/llava-1.5-7b-hf", "LLaVA-1.5"), ("/models/InstructBLIP-vicuna", "InstructBLIP"), ("emoji", None), ("llava-next", None)],
)
def test_only_the_same_family_is_shown_beside(subject, family):
    assert {one.subject for one in published("chair", subject)} == ({family} if family else set())


def test_the_table_prints_every_measure_in_percent_with_its_interval(found):
    text = markdown(found)
    rows = {row["name"]: row for row in found["results"]}
    for measure in found["measures"]:
        scale = 100 if is_share(measure["unit"]) else 1
        row = rows[f"chair/{measure['name']}/baseline"]
        low, high = row["interval"]
        digits = 2 if measure["unit"] == NLL_UNIT else 1
        # a share of no caption at all has no interval
        limits = "" if low is None else f" [{scale * low:.{digits}f}, {scale * high:.{digits}f}]"
        assert f"| {scale * row['estimate']:.{digits}f}{limits} |" in text
    measured, _, printed = text.partition("Published, not measured here")
    assert "OPERA" in printed
    assert "OPERA" not in measured
    assert not any("KVSmooth" in json.dumps(row) for row in found["results"]), "published numbers are in no results file"


def test_what_is_missing_or_undefined_is_said(found):
    found["results"][0] |= {"estimate": None, "interval": [None, None], "reason": "no caption names an object"}
    found["set_aside"] = [{"method": "baseline", "key": "7", "image_id": 7, "error": "too large"}]
    found["methods"][1]["missing"] = 3
    text = markdown(found)
    assert "undefined" in text
    assert "Undefined: chair/chair_s/baseline: no caption names an object." in text
    assert "Set aside with an error: 1; the first: baseline 7, too large" in text
    assert "Not asked yet: kvsmooth 3." in text


def test_published_values_are_hollow_and_named(found):
    plain = compose(found)
    assert not [text for text in _legend(plain) if "published" in text]
    found["about"]["subject"] = "llava-1.5-7b"
    made = compose(found)
    assert "published, LLaVA-1.5" in _legend(made)
    hollow = [line for line in made.axes[0].get_lines() if line.get_markerfacecolor() == "none" and len(line.get_xdata())]
    assert sorted(round(float(line.get_xdata()[0]), 1) for line in hollow) == [18.2, 41.8, 77.5, 79.2]


def test_methods_keep_the_colours_of_the_house():
    names = ["baseline", "kvsmooth:lambda_ref=0.9", "kvsmooth", "constant:rate=0.6"]
    colours = colours_of(names)
    assert {name: colours[name] for name in ARM_COLOURS} == ARM_COLOURS
    assert len({to_hex(one) for one in colours.values()}) == 4
    assert [label(name) for name in names] == ["no smoothing", "KVSmooth λ_ref 0.9", "KVSmooth", "constant rate 0.6"]


def _legend(figure):
    return [text.get_text() for text in figure.legends[0].get_texts()]
