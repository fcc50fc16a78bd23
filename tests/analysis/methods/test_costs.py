"""The column of costs: ratios of one measurement, to plain decoding or to beam search, and none where nothing was measured."""

import json

import pytest

from analysis.methods.costs import COSTS, Cost, cell, costs
from probes.command.cli import BadInput

MEASURED = {
    "parameters": 98_000_000,
    "provenance": {"config": {"image": True}},
    "ratios": {"plain": 1.0, "pai": 1.25, "vaf": 1.25, "beams": 4.0, "opera": 20.0},
    "spread": {
        "whole": {
            "processor": {
                name: {"low": low, "high": high}
                for name, low, high in (("plain", 1, 1), ("pai", 1.1, 1.4), ("vaf", 0.9, 1.6), ("beams", 3.9, 4.1), ("opera", 18, 22))
            }
        }
    },
}


def measured_in(folder):
    (folder / COSTS.parent).mkdir(parents=True)
    (folder / COSTS).write_text(json.dumps(MEASURED))


def test_a_cost_is_a_ratio_to_what_the_arm_without_a_method_does(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert costs(1) == {}
    measured_in(tmp_path)
    assert costs(1)["pai"] == Cost(1.25, True)
    assert costs(1)["vaf"] == Cost(1.25, False)
    assert costs(5) == {"none": Cost(1.0, True), "opera": Cost(5.0, True)}
    assert costs(3) == {}, "a search of as many beams was not measured"
    assert [cell(costs(1), arm) for arm in ("none", "pai x0.125", "vaf x1", "vcd x1")] == ["1.0", "1.2", "(1.2)", "–"]


@pytest.mark.parametrize(
    ("content", "why"),
    [
        ('{"ratios": ', "cannot be read (JSONDecodeError)"),
        ("[]", "cannot be read (TypeError)"),
        ("{}", "cannot be read (KeyError)"),
        (json.dumps({**MEASURED, "ratios": {"plain": None}}), "cannot be read (TypeError)"),
        (json.dumps({**MEASURED, "ratios": {"plain": 0.0}}), "cannot be read (ValueError)"),
        (json.dumps({**MEASURED, "spread": {"whole": {"processor": {}}}}), "cannot be read (KeyError)"),
        (json.dumps({**MEASURED, "provenance": {"config": {"image": False}}}), "is not of the random Llama that reads an image"),
    ],
)
def test_results_that_cannot_be_believed_are_refused_in_one_line(content, why, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    measured_in(tmp_path)
    COSTS.write_text(content)
    with pytest.raises(BadInput) as error:
        costs(1)
    assert str(error.value).startswith(f"{COSTS}: {why}")


def test_without_its_control_there_is_no_cost(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    measured_in(tmp_path)
    COSTS.write_text(json.dumps({**MEASURED, "ratios": {"pai": 1.2}}))
    assert costs(1) == costs(5) == {}
