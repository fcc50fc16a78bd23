"""Every recorded number, on every family, against eager attention maps and hidden states."""

import pytest
import torch

from kvsmooth import KVSmooth
from probes.regimes import record_inputs
from tests.probes.recorders.reference import slow_statistics
from tests.rounding import assert_close
from tests.zoo import ALSO, FAMILIES, build, decoder_of, turns

TOKENS = 4
QUICK = ("llava", "gemma3")
BOTH = ("sdpa", "eager")
ATTENTIONS = dict(turns((*FAMILIES, *ALSO), [(attention,) for attention in BOTH])) | dict.fromkeys(QUICK, BOTH)
TIERS = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in (*FAMILIES, *ALSO)]


def arms(layers):
    return {"baseline": None, "kvsmooth": KVSmooth(layers=range(layers), window=3)}


def assert_equal(trace, found, name):
    recorded = trace.values[name]
    for cell, expected in found[name].items():
        wanted = torch.tensor(expected, dtype=torch.float64)
        got = recorded[cell] if recorded[cell].dim() == wanted.dim() else recorded[cell][0]
        assert_close(got, wanted, told=f"{name} at {cell}")


# what is recorded of the baseline is recorded of a smoothed one too: on the rest of the zoo that one alone
@pytest.mark.parametrize(
    ("family", "arm"),
    [(family, "baseline") for family in QUICK] + [pytest.param(*one.values, "kvsmooth", marks=one.marks) for one in TIERS],
)
def test_recorded_numbers_equal_those_of_eager_maps_and_hidden_states(family, arm, monkeypatch):
    slow, inputs = build(family, attn="eager", batch=2)
    method = arms(len(decoder_of(slow).layers))[arm]
    found, new, run = slow_statistics(slow, inputs, method, TOKENS, monkeypatch)
    for attention in ATTENTIONS[family]:
        model, _ = build(family, attn=attention, batch=2)
        assert_recorded(record_inputs(model, inputs, method, max_new_tokens=TOKENS), found, new, method, run)


def assert_recorded(trace, found, new, method, run):
    assert trace.tokens.tolist() == new.tolist()
    for name in found:
        assert_equal(trace, found, name)
    for name in ("rate", "change_key", "change_value"):
        assert trace.values[name][0].isnan().all(), "prompt tokens are never smoothed"
    if method is None:
        assert trace.values["rate"].isnan().all()
    else:
        assert torch.allclose(trace.values["rate"][1:], run.rates, atol=1e-6)
        assert_close(trace.values["change_key"][1:], run.change_keys)
        assert_close(trace.values["change_value"][1:], run.change_values)


@pytest.mark.parametrize("family", ["llava", "gemma3", "instructblip"])
def test_a_method_that_recomputes_is_recorded_by_the_rows_that_its_output_used(family, monkeypatch):
    model, inputs = build(family, batch=2)
    slow, _ = build(family, attn="eager", batch=2)
    method = KVSmooth(layers=range(len(decoder_of(model).layers)), timing="recompute", window=3)
    found, new, _ = slow_statistics(slow, inputs, method, TOKENS, monkeypatch)
    trace = record_inputs(model, inputs, method, max_new_tokens=TOKENS)
    assert trace.tokens.tolist() == new.tolist()
    for name in found:
        assert_equal(trace, found, name)
