"""What a second worker brings: the arithmetic, and one small round of it."""

import json
import time
from pathlib import Path

import pytest

from analysis.answering.query import Completion
from analysis.efficiency import engine as cost
from analysis.engine import Batch, LocalEngine
from probes.command.cli import BadInput


def found(speed, captions=("a", "b")):
    costs = {"captions_per_minute": speed, "startup_seconds": 1.0, "processor_seconds": 0.1, "busy_before": 0.5}
    return {**costs, "captions": dict(enumerate(captions))}


def test_ratios_are_those_of_a_round_and_medians_over_rounds():
    speeds = [(100, 90, 180), (50, 40, 60), (200, 200, 380)]
    rounds = [{arm: found(speed) for arm, speed in zip(cost.ARMS, of, strict=True)} for of in speeds]
    told = cost.summary(rounds)
    assert told["rounds"]["ratios"]["ray_2/ray_1"] == [2.0, 1.5, 1.9]
    assert told["ratios"] == {"ray_2/ray_1": 1.9, "ray_1/in_process": 0.9, "ray_2/in_process": 1.8}
    assert told["same_captions"]
    assert "ray_2/ray_1: 1.90 (2.00, 1.50, 1.90)" in cost.lines(told)
    rounds[1]["ray_2"] = found(60, ("a", "c"))
    assert not cost.summary(rounds)["same_captions"]


def test_workers_wait_for_each_other_and_stamp_what_they_give(tmp_path):
    def make():
        return lambda payloads: [Completion(f"said {payload}", 1, 0.0) for payload in payloads]

    (tmp_path / "another").touch()
    begun = time.time()
    ((one,), (two,)) = LocalEngine().run(cost.Timed(make, 2, tmp_path), [Batch(("x",), (1,)), Batch(("y",), (2,))])
    assert begun <= one.result[0] <= one.result[1] <= two.result[0] <= time.time()
    assert 0 <= one.result[2] < 1
    assert (one.result[3], two.result[3]) == ("said 1", "said 2")


def test_workers_that_nobody_joins_give_up(tmp_path, monkeypatch):
    monkeypatch.setattr(cost, "PATIENCE", 0.05)
    with pytest.raises(BadInput, match="the others were not made"):
        list(LocalEngine().run(cost.Timed(lambda: None, 2, tmp_path), []))


def test_a_share_of_busy_processors_is_a_share():
    share = cost.busy_share(0.05)
    assert share is None or 0 <= share <= 1
    assert (share is None) == (not Path("/proc/stat").exists())


@pytest.mark.parametrize("name", ["images", "batch_size", "max_new_tokens", "rounds"])
def test_options_outside_their_law_are_refused(name):
    with pytest.raises(BadInput, match=f"EngineCostConfig.{name} must be a positive integer; got 0"):
        cost.EngineCostConfig(**{name: 0})


@pytest.mark.slow
def test_the_command_measures_the_bundled_subject(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(cost, "ARMS", {"in_process": 0, "ray_1": 0, "ray_2": 0})  # Ray has its own tests
    path = tmp_path / "engine.json"
    cost.perform(cost.EngineCostConfig(json=path, images=4, batch_size=2, max_new_tokens=4, rounds=1))
    told = json.loads(path.read_text())
    assert told["same_captions"]
    assert set(told["ratios"]) == {"ray_2/ray_1", "ray_1/in_process", "ray_2/in_process"}
    assert told["provenance"]["config"]["images"] == 4
    assert "captions a minute" in capsys.readouterr().out
