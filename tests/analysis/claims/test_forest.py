"""Effects side by side: heterogeneity by hand, what is read from the results files, and the figure."""

import json
import math
from pathlib import Path

import pytest

from analysis.claims.forest import DOSES, SHOWN, ForestMark, effects, forest, heterogeneity
from analysis.plots.style import house
from probes.command.cli import BadInput
from tests.rooms import ROOT


def effect(estimate, error, subject="a", dose=0.7):
    half = 1.959963984540054 * error
    return ForestMark(subject, dose, "chair_s", estimate, (estimate - half, estimate + half), 100, True)


def test_heterogeneity_by_hand():
    values, errors = (0.1, -0.2, 0.05), (0.05, 0.1, 0.02)
    found = heterogeneity([effect(value, error) for value, error in zip(values, errors, strict=True)])
    weights = [1 / error**2 for error in errors]
    middle = sum(w * v for w, v in zip(weights, values, strict=True)) / sum(weights)
    q = sum(w * (v - middle) ** 2 for w, v in zip(weights, values, strict=True))
    assert found.q == pytest.approx(q)
    assert found.p == pytest.approx(math.exp(-q / 2)), "the tail of chi-squared with two degrees of freedom"
    assert found.i2 == pytest.approx(1 - 2 / q)


def test_equal_effects_do_not_differ_and_one_alone_says_nothing():
    same = heterogeneity([effect(0.1, 0.05), effect(0.1, 0.02)])
    assert (same.q, same.i2) == (pytest.approx(0), 0.0)
    assert same.p == pytest.approx(1)
    assert heterogeneity([effect(0.1, 0.05)]) is None
    assert heterogeneity([effect(0.1, 0.05), effect(0.1, math.nan), effect(0.3, 0.0)]) is None


def test_effects_are_those_of_the_committed_results():
    found = effects(ROOT / "figures")
    assert {one.dose for one in found} == set(DOSES)
    assert {one.measure for one in found} == set(SHOWN)
    subjects = list(dict.fromkeys(one.subject for one in found))
    assert subjects[0] == "emoji"
    assert "emoji, end of training" not in subjects, "the shipped weights stand once"
    assert all(name.startswith(("emoji, ", "smollm2, ")) for name in subjects[1:])
    rows = {row["name"]: row for row in json.loads((ROOT / "figures/emoji/ablation/ablation.json").read_text())["results"]}
    (one,) = (one for one in found if (one.subject, one.dose, one.measure) == ("emoji", 0.7, "recall"))
    row = rows["kvsmooth - baseline/recall"]
    assert (one.estimate, list(one.interval), one.n) == (row["estimate"], row["interval"], row["n"])
    assert one.rejects == (row["p_adjusted"] < 0.05)
    with house():
        made, note = forest(found)
    assert [label.get_text() for label in made.axes[0].get_yticklabels()] == [name.replace(", ", ",\n") for name in subjects]
    assert "emoji: 500" in note


def test_what_is_not_there_is_left_out_and_a_damaged_file_is_named(tmp_path):
    assert effects(tmp_path) == []
    path = tmp_path / "emoji" / "ablation" / "ablation.json"
    path.parent.mkdir(parents=True)
    path.write_text("{")
    with pytest.raises(BadInput, match="cannot be read as a results file"):
        effects(Path(tmp_path))
