"""Sink channels: found where they are planted, not where there are none; left out of masked drift alone."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from kvsmooth.sinks.channels import MOST, massive_channels, strongest
from probes.recorders.drift import Drift
from probes.tracing.steps import GenerationSetting, Step


@given(st.integers(16, 600), st.integers(0, 1000))
def test_gaussian_states_have_none(channels, seed):
    hidden = torch.randn(50, channels, generator=torch.Generator().manual_seed(seed))
    assert massive_channels(hidden) == {}


@pytest.mark.parametrize("channels", [32, 192, 4096])
def test_a_planted_channel_is_found_by_its_share_of_one_tokens_energy(channels):
    hidden = torch.randn(40, channels, generator=torch.Generator().manual_seed(0))
    hidden[7, 5] = 3 * channels**0.5
    found = massive_channels(hidden)
    assert list(found) == [5]
    assert found[5] == pytest.approx(9 / 10, abs=0.05)


def test_a_channel_that_is_large_everywhere_is_found_too():
    hidden = torch.randn(40, 192, generator=torch.Generator().manual_seed(0))
    hidden[:, 103] += 20
    assert list(massive_channels(hidden)) == [103]


def test_at_most_a_handful_are_taken_the_strongest_first():
    hidden = torch.full((6, 64), 1e-3)
    for token in range(6):
        hidden[token, token] = 1.0
        hidden[token, 10 + token] = 1.0 + token / 10
    found = massive_channels(hidden)
    assert len(found) == MOST
    assert strongest([{1: 0.2, 2: 0.5}, {2: 0.1, 9: 0.4}, {4: 0.3, 5: 0.25}]) == (2, 4, 5, 9)


def test_empty_and_zero_states_have_none():
    assert massive_channels(torch.zeros(0, 8)) == {}
    assert massive_channels(torch.zeros(3, 8)) == {}


def drift(sink_channels, prompt, newest, groups):
    """Two layers, fed the prompt and one more token."""
    recorder = Drift(GenerationSetting(groups, (0, 1), 4, sink_channels))
    for layer in range(2):
        recorder.prompt(layer, prompt[layer], 0)
    recorder.step(Step(0, groups.shape[1], hidden=prompt[:, :, -1]))
    recorder.step(Step(1, groups.shape[1] + 1, hidden=newest))
    return recorder, recorder.finish(None, 2)


def _angle(a, b):
    return math.acos(float(a @ b / a.norm() / b.norm()))


def test_masked_drift_is_the_angle_without_the_sink_channels_of_the_layer():
    generator = torch.Generator().manual_seed(1)
    groups = torch.tensor([[0, 2, 2, 3], [-1, 2, 2, 3]])
    prompt = torch.randn(2, 2, 4, 16, generator=generator)
    newest = torch.randn(2, 2, 16, generator=generator)
    prompt[1, :, :, 5] += 50
    newest[1, :, 5] += 50
    prompt[0, 1, 0] = 1e4  # padding of the second row: must count nowhere
    recorder, values = drift(None, prompt, newest, groups)
    assert recorder.sink_channels == ((), (5,))
    for layer in range(2):
        kept = [channel for channel in range(16) if layer == 0 or channel != 5]
        for row in range(2):
            new, image = newest[layer, row], prompt[layer, row, 1:3].mean(0)
            last = prompt[layer, row, -1]
            for name, reference in (("drift_image", image), ("drift_step", last), ("drift_prompt", last)):
                assert values[name][1, layer, row, 0] == pytest.approx(_angle(new, reference), abs=1e-3)
                assert values[name][1, layer, row, 1] == pytest.approx(_angle(new[kept], reference[kept]), abs=1e-3)
    assert (values["drift_image"][1, 1, :, 0] < 0.2).all()
    assert (values["drift_image"][1, 1, :, 1] > 0.5).all()


def test_given_channels_are_used_as_they_are():
    groups = torch.tensor([[2, 3]])
    prompt, newest = torch.randn(2, 1, 2, 8), torch.randn(2, 1, 8)
    recorder, values = drift(((0, 1), ()), prompt, newest, groups)
    assert recorder.sink_channels == ((0, 1), ())
    assert torch.equal(values["drift_image"][:, 1, :, 0], values["drift_image"][:, 1, :, 1])


def test_the_first_step_has_no_step_before_and_stands_at_the_prompts_end():
    _, values = drift((), torch.randn(2, 1, 3, 8), torch.randn(2, 1, 8), torch.tensor([[2, 2, 3]]))
    assert values["drift_step"][0].isnan().all()
    assert (values["drift_prompt"][0] == 0).all()
    assert torch.equal(values["drift_step"][1], values["drift_prompt"][1])
