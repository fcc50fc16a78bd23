"""What decoding costs: the arithmetic of rounds, the arms, and one small run of the command."""

import json
import re
import runpy
import sys
from pathlib import Path

import pytest
import torch
from scipy.stats import ttest_1samp

from analysis.efficiency import batch, engine, scoring
from analysis.efficiency.__main__ import main
from analysis.efficiency.arms import ARMS, Case, StepClock, read_before, timed
from analysis.efficiency.config import EfficiencyConfig
from analysis.efficiency.memory import peak_memory
from analysis.efficiency.rounds import chosen, goals, ratios, rounds, summary
from analysis.efficiency.shapes import build, smoothed_layers, twin
from analysis.telling.pages import tell, with_paragraph
from probes.command.cli import BadInput, run_cli

SMALL = EfficiencyConfig(prompt_tokens=12, new_tokens=4, rounds=3, hidden=32, layers=6, heads=2, vocabulary=64, memory=False)


def one(plain, other, wall=None):
    """A round of two arms; every part and clock alike but for the wall."""
    own = {
        name: {part: {"processor": seconds, "wall": wall or seconds} for part in ("whole", "decode")}
        for name, seconds in {"plain": plain, "kvsmooth": other}.items()
    }
    return {name: {"own": its, "beside": own["plain"]} for name, its in own.items()}


def test_a_ratio_is_that_of_a_round_whatever_the_rounds_are_like():
    found = [one(1.0, 1.02), one(10.0, 10.4), one(3.0, 3.03)]
    told = ratios(found, "whole", "processor")
    assert told["plain"] == {"ratio": 1.0, "low": 1.0, "high": 1.0}
    assert told["kvsmooth"]["ratio"] == pytest.approx(1.02)
    assert (told["kvsmooth"]["low"], told["kvsmooth"]["high"]) == (pytest.approx(1.01), pytest.approx(1.04))
    assert ratios([one(1.0, 1.5, wall=7.0)], "decode", "wall")["kvsmooth"]["ratio"] == 1.0


def test_every_arm_stands_between_two_runs_of_plain_decoding(monkeypatch):
    """A machine that slows down by a tenth of a second a run: an arm in the middle of its neighbours costs what they do, at any place."""
    ran, ended = [], []

    def timed(name, case):
        ran.append(name)
        seconds = 1 + 0.1 * len(ran) + 0.5 * (name == "slow")
        return {part: {"processor": seconds, "wall": 2 * seconds} for part in ("whole", "decode")}

    monkeypatch.setattr("analysis.efficiency.rounds.timed", timed)
    case = Case(None, {}, 2)
    found = rounds({"plain": case, "same": case, "slow": case}, 2, lambda: ended.append(len(ran)))
    assert ran[:3] == ["plain", "same", "slow"]
    assert ran[3:] == ["plain", "same", "plain", "slow", "plain", "plain", "slow", "plain", "same", "plain"]
    assert ended == [3, 8, 13]
    assert [list(one) for one in found] == [["plain", "same", "slow"]] * 2
    own, beside = (found[1]["slow"][which]["decode"]["wall"] for which in ("own", "beside"))
    assert (own, beside) == pytest.approx((2 * (1 + 0.1 * 10 + 0.5), 2 * (1 + 0.1 * 10)))
    assert found[0]["plain"]["own"] == found[0]["plain"]["beside"]
    assert found[0]["plain"]["own"]["whole"]["processor"] == pytest.approx(1 + 0.1 * (4 + 6 + 8) / 3)
    told = ratios(found, "whole", "processor")
    assert told["same"] == pytest.approx({"ratio": 1.0, "low": 1.0, "high": 1.0})
    assert told["slow"]["ratio"] == pytest.approx(((1 + 0.7 + 0.5) / 1.7 + (1 + 1.0 + 0.5) / 2.0) / 2)
    over = ratios(found, "whole", "processor", control="slow")
    assert over["slow"]["ratio"] == 1.0
    assert over["same"]["ratio"] == pytest.approx((1.7 / 2.2 + 2.0 / 2.5) / 2)
    ran.clear()
    rounds({"plain": case, "same": case, "slow": case, "slower": case}, 1, list, turned=5)
    assert ran[4:] == ["plain", "slower", "plain", "same", "plain", "slow", "plain"]
    assert rounds({"plain": case}, 1, list)[0]["plain"].keys() == {"own", "beside"}


def test_the_interval_narrows_with_the_rounds_and_holds_the_truth():
    draw = torch.Generator().manual_seed(0)
    found = [one(1.0, 1.05 + 0.05 * float(torch.randn((), generator=draw))) for _ in range(200)]
    widths = []
    for number in (10, 200):
        told = ratios(found[:number], "whole", "processor")["kvsmooth"]
        assert told["low"] < told["ratio"] < told["high"]
        widths.append(told["high"] - told["low"])
    assert widths[1] < widths[0] / 2
    assert told["low"] < 1.05 < told["high"]


def test_the_interval_over_processes_is_that_of_a_t_test_of_their_medians():
    each = [(1.02, 1.03, 1.10), (1.05, 1.05, 1.00), (0.99, 1.01, 1.04), (1.06, 1.00, 1.04)]
    found = [one(2.0, 2.0 * ratio) for process in each for ratio in process]
    told = ratios(found, "whole", "processor", level=0.9, processes=4)
    medians = [1.03, 1.05, 1.01, 1.04]
    interval = ttest_1samp(medians, 1.0).confidence_interval(0.9)
    assert told["kvsmooth"] == pytest.approx({"ratio": sum(medians) / 4, "low": interval.low, "high": interval.high})
    assert told["plain"] == {"ratio": 1.0, "low": 1.0, "high": 1.0}
    assert [summary(found, processes=4)[name] for name in ("n", "processes")] == [3, 4]


def test_what_differs_between_processes_alone_is_seen_in_the_interval_over_them():
    """Six processes with a level of their own each, and rounds that all but agree: those of one process leave the truth outside."""
    levels = [1.00, 1.06, 1.02, 1.05, 0.99, 1.04]
    found = [one(1.0, level + 0.001 * shift) for level in levels for shift in (-1, 0, 1, 0)]
    alone, over = ratios(found[:4], "whole", "processor")["kvsmooth"], ratios(found, "whole", "processor", processes=6)["kvsmooth"]
    assert not alone["low"] < 1.0267 < alone["high"]
    assert over["low"] < 1.0267 < over["high"]


def test_a_goal_is_met_by_the_upper_end_alone():
    told = goals(summary([one(1.0, 1.02), one(1.0, 1.02), one(1.0, 1.02)])["spread"])
    assert told == {"kvsmooth": {"goal": 1.03, "upper": pytest.approx(1.02), "met": True}}
    assert not goals(summary([one(1.0, 1.0), one(1.0, 1.0), one(1.0, 1.2)])["spread"])["kvsmooth"]["met"]


@pytest.mark.parametrize("name", ARMS)
def test_every_arm_runs_and_tells_its_steps(name):
    model, inputs = build(SMALL)
    spent = timed(name, Case(model, inputs, SMALL.new_tokens))
    assert 0 < spent["decode"]["wall"] < spent["whole"]["wall"]
    assert model.config._attn_implementation == "sdpa"


def test_arms_write_as_many_tokens_as_they_are_asked_for():
    model, inputs = build(SMALL)
    clock = StepClock()
    Case(model, inputs, 4).generate(clock)
    assert len(clock.stamps) == 4


def test_short_stacks_are_smoothed_whole():
    small = EfficiencyConfig(hidden=32, layers=4, heads=2, vocabulary=64)
    assert smoothed_layers(build(small)[0]) == (0, 1, 2, 3)
    assert smoothed_layers(build(SMALL)[0]) is None


def test_a_twin_shares_weights_and_no_module():
    model, _ = build(SMALL)
    other = twin(model)
    pairs = list(zip(model.parameters(), other.parameters(), strict=True))
    assert all(one is its for one, its in pairs)
    assert not set(map(id, model.modules())) & set(map(id, other.modules()))


def test_a_subject_is_measured_on_its_own_scene():
    model, inputs = build(EfficiencyConfig(subject="emoji"))
    assert {"input_ids", "pixel_values"} <= inputs.keys()
    assert model.generation_config.eos_token_id is None


def test_a_prompt_that_was_read_before_changes_no_token():
    model, inputs = build(SMALL)
    said = []
    for cache in (None, read_before(model, inputs)):
        said.append([])
        hook = model.register_forward_hook(lambda module, given, output: said[-1].append(output.logits[0, -1].argmax()))
        with hook:
            timed("kvsmooth", Case(model, inputs, SMALL.new_tokens, cache))
    assert said[0] == said[1]
    with pytest.raises(BadInput, match="prefilled is for the random Llama"):
        EfficiencyConfig(prefilled=True)


def test_plain_decoding_is_always_among_the_arms():
    assert chosen(()) == list(ARMS)
    assert chosen(("kvsmooth",)) == ["plain", "kvsmooth"]
    with pytest.raises(BadInput, match=r"arms: there is no arm 'quick'; choose from plain, .*dola"):
        EfficiencyConfig(arms=("kvsmooth,quick",))


def test_the_command_writes_what_it_measured(tmp_path, capsys):
    out = tmp_path / "cost.json"
    words = "--prompt-tokens 12 --new-tokens 3 --rounds 2 --hidden 32 --layers 5 --heads 2 --vocabulary 64 --no-memory"
    with pytest.raises(SystemExit) as ended:
        run_cli(EfficiencyConfig, main, [*words.split(), "--arms", "plain_again,recording", "--json", str(out)])
    assert ended.value.code == 0
    found = json.loads(out.read_text())
    assert list(found["ratios"]) == ["plain", "plain_again", "recording"]
    assert found["n"] == len(found["rounds"]) == 2
    assert found["ratios"]["recording"] == found["spread"]["whole"]["processor"]["recording"]["ratio"]
    assert found["provenance"]["config"]["json"] is None
    assert "recording: at most 1.12 is the goal" in capsys.readouterr().out


@pytest.mark.slow
def test_peak_memory_and_rounds_are_told_by_processes_that_the_command_starts(tmp_path, monkeypatch, capsys):
    """As a command it is its process's `__main__`, as it is here, which these processes do not know."""
    given = {**vars(SMALL), "memory": True, "rounds": 1, "arms": ("kvsmooth",)}
    words = [
        word
        for name in ("prompt_tokens", "new_tokens", "hidden", "layers", "heads", "vocabulary")
        for word in (f"--{name.replace('_', '-')}", str(given[name]))
    ]
    words += ["--rounds", "2", "--processes", "2", "--arms", "kvsmooth", "--json", str(tmp_path / "cost.json")]
    monkeypatch.setattr(sys, "argv", ["analysis.efficiency", *words])
    monkeypatch.delitem(sys.modules, "analysis.efficiency.__main__")
    with pytest.raises(SystemExit) as ended:
        runpy.run_module("analysis.efficiency", run_name="__main__", alter_sys=True)
    said = capsys.readouterr()
    assert ended.value.code == 0, said.err
    assert "extra peak MB" in said.out
    told = json.loads((tmp_path / "cost.json").read_text())
    assert told["peak_extra_bytes"]["plain"] == 0
    assert (told["n"], told["processes"], len(told["rounds"])) == (2, 2, 4)
    assert f"{told['parameters'] / 1e6:.0f} M parameters, 12 tokens of prompt, 2 rounds in each of 2 processes; " in said.out
    assert "[interval over processes]" in said.out
    assert peak_memory("plain", EfficiencyConfig(**{**given, "prompt_tokens": 580, "image": True})) > 0


def test_methods_of_others_are_timed_on_a_prompt_with_an_image():
    few = EfficiencyConfig(image=True, prompt_tokens=580, new_tokens=3, hidden=32, layers=3, heads=2, vocabulary=64, arms=("pai,dola",))
    model, inputs = build(few)
    assert int((inputs["input_ids"] == model.config.image_token_id).sum()) == 576
    assert chosen(few.named) == ["plain", "pai", "dola"]
    for name in chosen(few.named):
        spent = timed(name, Case(model, inputs, few.new_tokens))
        assert 0 < spent["decode"]["wall"] < spent["whole"]["wall"]
    assert chosen(("vcd", "kvsmooth")) == ["plain", "kvsmooth", "vcd"]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"arms": ("kvsmooth", "quick")}, "there is no arm 'quick'"),
        ({"image": True, "subject": "emoji"}, "image is for the random Llama"),
        ({"image": True, "prompt_tokens": 576}, "more than 576 tokens"),
        ({"image": True, "prefilled": True, "arms": ("kvsmooth",)}, "prefilled is for a prompt of text"),
    ],
)
def test_arms_that_cannot_be_timed_are_told_before_anything_runs(options, said):
    with pytest.raises(BadInput, match=said):
        EfficiencyConfig(**options)


def test_a_results_file_that_cannot_be_written_is_told_before_anything_runs(tmp_path):
    for perform, config in (
        (main, EfficiencyConfig(json=tmp_path)),
        (batch.perform, batch.BatchCostConfig(json=tmp_path)),
        (engine.perform, engine.EngineCostConfig(json=tmp_path)),
        (scoring.main, scoring.ScoreCostConfig(out=tmp_path)),
    ):
        with pytest.raises(BadInput, match=rf"^--(json|out) {re.escape(str(tmp_path))}: this is a folder; name a file in it\.$"):
            perform(config)


def test_a_page_gets_the_table_of_arms_and_one_without_marks_is_refused_first(tmp_path, monkeypatch):
    page = tmp_path / "page.md"
    page.write_text("Costs.\n")
    few = {"prompt_tokens": 12, "new_tokens": 3, "rounds": 2, "hidden": 32, "layers": 5, "heads": 2, "vocabulary": 64, "memory": False}
    with pytest.raises(BadInput, match="needs the marks <!-- costs -->"):
        main(EfficiencyConfig(page=page, arms=("kvsmooth",), **few))
    with pytest.raises(BadInput, match="cannot be read"):
        main(EfficiencyConfig(page=tmp_path / "none.md", **few))
    monkeypatch.chdir(tmp_path)
    Path("docs").mkdir()
    for name in ("findings", "methods"):
        Path("docs", f"{name}.md").write_text("<!-- costs -->\n<!-- /costs -->\n")
    for json_file in (None, tmp_path / "costs.json"):
        with pytest.raises(BadInput, match=r"--page docs/methods\.md: tells of results under figures/ alone; give their file by --json"):
            main(EfficiencyConfig(page=Path("docs/methods.md"), json=json_file, **few))
    page.write_text("Costs.\n<!-- costs -->\n<!-- /costs -->\nend\n")

    others = []

    def meanwhile(*words):
        after = with_paragraph(*words)
        others.append(f"of another, {len(others)}")
        tell("other", others[-1], page)
        return after

    monkeypatch.setattr("analysis.efficiency.__main__.with_paragraph", meanwhile)
    main(EfficiencyConfig(page=page, arms=("kvsmooth",), **few))
    told = page.read_text()
    assert "\n| `plain` | 1.00 [1.00, 1.00] | 1.00 [1.00, 1.00] |\n| `kvsmooth` | " in told
    assert "<!-- /costs -->\nend\n" in told
    assert f"<!-- other -->\n{others[-1]}\n<!-- /other -->" in told, "what is written meanwhile stays"
