"""What a batch costs: every arm says the same, and the arithmetic is that of rounds."""

import json

import pytest
import torch

from analysis.efficiency.batch import ARMS, METHODS, BatchCostConfig, lines, perform, told
from probes.command.cli import BadInput, run_cli


def test_a_ratio_is_that_of_a_round_and_other_tokens_are_told():
    tokens = torch.tensor([[3, 4]])
    seconds = {("generate", "baseline"): [2.0, 4.0, 10.0], ("leaving", "baseline"): [1.0, 3.0, 5.0]}
    found = told(seconds, dict.fromkeys(seconds, tokens), images=5)
    assert found["arms"]["leaving/baseline"]["ratio"] == 0.5
    assert found["arms"]["generate/baseline"]["captions_per_minute"] == 75.0
    assert "0.50  2 steps, the same tokens" in lines(found)[2]
    other = told(seconds, {("generate", "baseline"): tokens, ("leaving", "baseline"): tokens + 1}, images=5)
    assert not other["arms"]["leaving/baseline"]["same_tokens"]
    assert "other tokens" in lines(other)[2]


@pytest.mark.slow
def test_every_arm_says_the_same_and_the_file_tells_it(tmp_path):
    out = tmp_path / "batch.json"
    with pytest.raises(SystemExit) as ended:
        run_cli(BatchCostConfig, perform, ["--images", "2", "--max-new-tokens", "14", "--rounds", "1", "--json", str(out)])
    assert ended.value.code == 0
    found = json.loads(out.read_text())
    assert set(found["arms"]) == {f"{arm}/{name}" for arm in ARMS for name in METHODS}
    assert all(row["same_tokens"] for row in found["arms"].values())


def test_an_arm_that_is_none_is_refused():
    with pytest.raises(BadInput, match="arms must be of generate, leaving, shared, recording; got 'quick'"):
        BatchCostConfig(arms=("quick",))
