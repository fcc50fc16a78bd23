"""Effects side by side: what is read from the results files, and the figure."""

import json
from pathlib import Path

import pytest

from analysis.claims.forest import DOSES, SHOWN, ForestMark, effects, forest, origin
from analysis.plots.style import house
from probes.command.cli import BadInput
from tests.rooms import ROOT


@pytest.mark.parametrize(("level", "z"), [(0.95, 1.959964), (0.9, 1.644854)])
def test_an_interval_has_the_error_of_its_own_coverage(level, z):
    mark = ForestMark("a", 0.7, "chair_s", 0.1, (0.1 - z * 0.05, 0.1 + z * 0.05), 100, True, level, "")
    assert mark.error == pytest.approx(0.05, rel=1e-6)


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
    assert "95 % cluster" in note
    assert origin(found)["model_id"] == "emoji, smollm2"
    assert set(origin(found)["of"]) == set(subjects)
    assert all(len(commit) == 40 for commit in origin(found)["of"].values())


def test_what_is_not_there_is_left_out_and_a_damaged_file_is_named(tmp_path):
    assert effects(tmp_path) == []
    path = tmp_path / "emoji" / "ablation" / "ablation.json"
    path.parent.mkdir(parents=True)
    path.write_text("{")
    with pytest.raises(BadInput, match="cannot be read as a results file"):
        effects(Path(tmp_path))
