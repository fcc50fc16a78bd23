"""Scores that are no numbers end a generation with a line that names the cause, while those of a sound model pass untouched."""

import pytest
import torch

from kvsmooth import KVSmooth, Unsupported
from kvsmooth.sinks import RowEntropy
from probes.regimes import record_inputs
from probes.tracing.nonfinite import FiniteScores
from probes.tracing.tokens import free_captions
from tests.zoo import build

UP = r"model\.language_model\.layers\.1\.mlp\.up_proj\.weight"
ARMS = [None, KVSmooth(layers=range(3))]


def broken(value=float("nan")):
    model, inputs = build("llava", batch=2)
    model.model.language_model.layers[1].mlp.up_proj.weight.data[0, 0] = value
    return model, inputs


@pytest.mark.parametrize("captions", [None, [[7, 2], [8, 9, 2]]], ids=["free", "replay"])
@pytest.mark.parametrize("arm", ARMS, ids=["baseline", "kvsmooth"])
def test_a_parameter_that_is_no_number_is_named_at_the_first_step(arm, captions):
    model, inputs = broken()
    with pytest.raises(Unsupported, match=rf"NaN for the next token's scores at step 0: {UP} .*\(1 parameters do\); restore") as caught:
        record_inputs(model, inputs, arm, captions=captions, max_new_tokens=3, recorders=("entropy",))
    assert "\n" not in str(caught.value)
    with pytest.raises(Unsupported, match=UP):
        free_captions(model, inputs, (2,), max_new_tokens=3)


def test_activations_that_leave_the_range_are_called_so():
    model, inputs = build("llava")
    model = model.half()
    model.model.language_model.norm.weight.data[:] = 60000  # is held by float16, and what it is multiplied to is not
    inputs["pixel_values"] = inputs["pixel_values"].half()
    with pytest.raises(Unsupported, match=r"no parameter is: its activations leave what float16 holds; take bfloat16 or float32"):
        free_captions(model, inputs, (2,), max_new_tokens=3)


def test_later_steps_are_told_behind_the_method_that_broke_them():
    model, inputs = build("llava")
    with pytest.raises(Unsupported, match=r"KVSmooth\.score gave NaN at step 1"):
        record_inputs(model, inputs, KVSmooth(layers=range(3), score=_sour()), max_new_tokens=6, recorders=("entropy",))


def _sour():
    """A detector that gives NaN from its second step on."""
    entropy, steps = RowEntropy(), []

    def score(seen):
        steps.append(None)
        return entropy(seen) * (float("nan") if len(steps) > 1 else 1.0)

    return score


def test_scores_pass_untouched_and_a_later_nan_is_kept_for_the_end():
    model, _ = build("llava")
    sound, scores = FiniteScores(model), torch.randn(2, 5)
    assert sound(torch.zeros(2, 1, dtype=torch.long), scores) is scores
    sound.check()
    assert sound(torch.zeros(2, 1, dtype=torch.long), scores * float("nan")).isnan().all()
    with pytest.raises(Unsupported, match=r"at step 1: no parameter is: .* take float32"):
        sound.check()
