"""What is kept of a prompt: visible positions only, one layer at a time."""

import statistics

import pytest
import torch

from kvsmooth.sinks.prompt import prompt_statistics


def test_statistics_are_those_of_the_visible_positions():
    hidden = torch.randn(2, 7, 16, generator=torch.Generator().manual_seed(0))
    hidden[1, 4, 5] = 300.0
    hidden[0, 3:] *= 1e4  # not of the prompt
    hidden[1, :2] = 1e6  # padding
    visible = torch.tensor([[1, 1, 1, 0, 0, 0, 0], [0, 0, 1, 1, 1, 1, 1]]).bool()
    prompt = prompt_statistics(hidden, visible)
    for row in range(2):
        states = [hidden[row, position].double() for position in range(7) if visible[row, position]]
        assert torch.equal(prompt.first[0, row], states[0].float())
        assert float(prompt.norm[0, row]) == pytest.approx(statistics.median_low(float(state.norm()) for state in states))
        magnitudes = [abs(x) for state in states for x in state.tolist()]
        assert float(prompt.magnitude[0, row]) == pytest.approx(statistics.median_low(magnitudes))
    assert prompt.massive[0].nonzero().tolist() == [[1, 5]]


def test_all_positions_count_without_a_mask():
    hidden = torch.randn(1, 5, 8, dtype=torch.float64).bfloat16()
    assert torch.equal(prompt_statistics(hidden).norm, prompt_statistics(hidden, torch.ones(1, 5).bool()).norm)
    assert prompt_statistics(hidden).first.dtype == torch.float32


def test_a_row_without_a_token_is_refused():
    with pytest.raises(ValueError, match="visible position in every row"):
        prompt_statistics(torch.zeros(2, 3, 4), torch.tensor([[1, 1, 1], [0, 0, 0]]).bool())
