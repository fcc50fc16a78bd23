"""The angle to the running mean of the generated states, against a loop and against a model's own hidden states."""

import math

import pytest
import torch

from probes.recorders import RECORDERS
from probes.recorders.mean_state import MeanState
from probes.regimes import record_inputs
from probes.tracing.steps import GenerationSetting, Step
from tests.rounding import SUM, assert_close
from tests.zoo import FAMILIES, build

TOKENS = 6


def reference(states):
    """States "step channel", float64: the angle of each to the mean of those at steps 1 to t - 1."""
    found = [math.nan, math.nan]
    for t in range(2, len(states)):
        mean = sum(states[1:t]) / (t - 1)
        cosine = (states[t] @ mean / states[t].norm() / mean.norm()).item()
        found.append(math.acos(max(-1.0, min(1.0, cosine))))
    return torch.tensor(found[: len(states)])


def test_equals_a_loop_over_random_states():
    states = torch.randn(TOKENS, 2, 3, 8, generator=torch.Generator().manual_seed(0))
    recorder = MeanState(GenerationSetting(torch.full((3, 4), 3), (0, 1), TOKENS))
    for t, hidden in enumerate(states):
        recorder.step(Step(t, 4 + t, hidden=hidden))
    found = recorder.finish(None, TOKENS)["drift_mean"]
    for layer in range(2):
        for row in range(3):
            expected = reference(states[:, layer, row].double()).float()
            assert_close(found[:, layer, row], expected, SUM)


@pytest.mark.parametrize("family", [name if name == "llava" else pytest.param(name, marks=pytest.mark.slow) for name in FAMILIES])
def test_equals_the_models_own_states(family):
    model, inputs = build(family, batch=2)
    trace = record_inputs(model, inputs, recorders=("mean_state",), max_new_tokens=TOKENS)
    out = model.generate(**inputs, max_new_tokens=TOKENS, do_sample=False, output_hidden_states=True, return_dict_in_generate=True)
    steps = trace.values["drift_mean"].shape[0]
    for layer in range(len(trace.layers) - 1):  # what generate gives for the last layer has passed the final norm
        for row in range(2):
            states = torch.stack([out.hidden_states[t][layer + 1][row, -1] for t in range(steps)]).double()
            got = trace.values["drift_mean"][:, layer, row]
            assert_close(got, reference(states))


def test_is_registered():
    assert RECORDERS["mean_state"] is MeanState
