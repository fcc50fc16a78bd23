"""The cost of prompt statistics: the arms compute the same, the bars say what was measured, and the command leaves it as data."""

import json

import pytest
import torch

from analysis.efficiency import prompt as prompt_cost
from analysis.efficiency.__main__ import main
from analysis.efficiency.config import EfficiencyConfig
from analysis.efficiency.prompt import ARMS, PromptCost, bars, check_memory, layer, measure, peak_rise, table
from probes.command.cli import BadInput, run_cli


def test_the_arms_compute_the_same():
    given = layer(70, mask=True)
    plain, eager, without, entropy = (ARMS[name](given) for name in ("plain", "eager_maps", "map_statistics", "flash_entropy"))
    for mine, theirs in zip(without, eager, strict=True):
        # transformers' eager attention puts the positions before the heads in its output
        theirs = theirs.transpose(1, 2) if mine.shape != theirs.shape else theirs
        torch.testing.assert_close(mine, theirs, atol=1e-5, rtol=1e-5)
    assert torch.equal(plain[0], without[0])
    torch.testing.assert_close(entropy[1], eager[1], atol=1e-5, rtol=1e-5)


def test_a_bar_is_met_at_its_edge_and_not_above():
    def rounds(seconds):
        return [{"plain": 1.0, "eager_maps": 10.0, "map_statistics": seconds, "flash_entropy": 2.0}] * 3

    rises = {(4096, "eager_maps"): 2000, (4096, "map_statistics"): 100, (1024, "eager_maps"): 20, (1024, "map_statistics"): 20}
    found = bars({"1024": rounds(5.0), "4096": rounds(5.1)}, rises)
    assert [(bar["what"], bar["tokens"], bar["met"]) for bar in found] == [
        ("time", 1024, True),
        ("time", 4096, False),
        ("memory", 4096, True),
    ]
    rises[4096, "map_statistics"] = 101
    assert not bars({"4096": rounds(1.0)}, rises)[-1]["met"]


def test_the_command_writes_and_prints(tmp_path, capsys):
    out = tmp_path / "deep" / "prompt.json"
    with pytest.raises(SystemExit) as left:
        run_cli(EfficiencyConfig, main, ["--prompt", "--lengths", "24", "40", "--rounds", "2", "--no-memory", "--json", str(out)])
    assert left.value.code == 0
    found = json.loads(out.read_text())
    assert set(found) == {"ratios", "spread", "medians", "memory", "bars", "n", "provenance"}
    assert found["ratios"]["24"]["plain"] == found["ratios"]["40"]["plain"] == 1
    assert found["provenance"]["config"] == {"lengths": [24, 40], "rounds": 2, "threads": 1, "memory": False}
    assert [(bar["what"], bar["tokens"]) for bar in found["bars"]] == [("time", 24), ("time", 40)]
    text = capsys.readouterr().out
    assert text.count("met") >= 2
    assert len(text.splitlines()) == 2 + 2 * len(ARMS) + 2 + 1  # what was written, at last


def test_lengths_that_do_not_fit_are_refused_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr(prompt_cost, "available_memory", lambda: 3 * 10**9)
    check_memory((1024, 4096))
    with pytest.raises(BadInput, match=r"PromptCost.lengths: needs about 5.0 GB for eager maps at 8192 tokens, and 3.0 GB are free"):
        check_memory((1024, 8192))
    with pytest.raises(SystemExit) as left:
        run_cli(EfficiencyConfig, main, ["--prompt"])
    assert left.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    monkeypatch.setattr(prompt_cost, "available_memory", lambda: None)
    check_memory((8192,))


def test_the_system_says_how_much_memory_there_is():
    there = prompt_cost.available_memory()
    assert there is None or there > 2**20


@pytest.mark.parametrize("options", [{"lengths": ()}, {"lengths": (2,)}, {"rounds": 0}, {"threads": 0}])
def test_options_out_of_range_are_named(options):
    with pytest.raises(BadInput, match=f"PromptCost.{next(iter(options))} must be"):
        PromptCost(**options)


@pytest.mark.slow
def test_memory_of_a_fresh_process():
    tokens = 1024
    rises = {name: peak_rise(name, tokens) for name in ("plain", "eager_maps", "map_statistics")}
    maps = 4 * prompt_cost.HEADS * tokens**2
    output = 4 * prompt_cost.HEADS * prompt_cost.CHANNELS * tokens
    assert 2 * maps <= rises["eager_maps"] <= 3.5 * maps
    assert 0.9 * output <= rises["plain"] <= output + 6e6
    assert rises["map_statistics"] <= maps


def test_memory_enters_the_results(monkeypatch):
    sizes = {"plain": 10, "eager_maps": 4000, "map_statistics": 150, "flash_entropy": 20}
    monkeypatch.setattr(prompt_cost, "peak_rise", lambda name, tokens, threads: sizes[name] * tokens)
    monkeypatch.setattr(prompt_cost, "MEMORY_FROM", 32)
    found = measure(PromptCost(lengths=(16, 32), rounds=1))
    assert found["memory"]["32"] == {name: 32 * size for name, size in sizes.items()}
    memory = [bar for bar in found["bars"] if bar["what"] == "memory"]
    assert memory == [{"what": "memory", "tokens": 32, "value": 150 / 4000, "bar": 1 / 20, "met": True}]
    assert "memory of map_statistics at 32 tokens is 0.037 of eager maps, bar 0.05: met" in table(found)
