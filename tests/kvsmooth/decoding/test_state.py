"""What is kept of a batch, by itself: which keys count, which layers go together, what follows a row, what is not kept at all."""

import pytest
import torch
from transformers import DynamicCache

from kvsmooth import KVSmooth
from kvsmooth.decoding.group import Group, Unit
from kvsmooth.decoding.state import BandState
from kvsmooth.sinks import RowEntropy
from kvsmooth.spans import BOS, IMAGE, PADDING, PROMPT, SYSTEM
from tests import zoo
from tests.kvsmooth.cases import MOVING
from tests.rounding import assert_close

CPU = torch.device("cpu")
PROMPTS = [[PADDING, BOS, IMAGE, IMAGE, PROMPT], [BOS, SYSTEM, IMAGE, PROMPT, PROMPT]]
COUNTS = {
    "without_bos": lambda kind: kind != BOS,
    "image": lambda kind: kind == IMAGE,
    "text": lambda kind: kind != IMAGE,
}


@pytest.mark.parametrize("dropped", [0, 3, 6])
@pytest.mark.parametrize("beams", [1, 2])
@pytest.mark.parametrize("keys", COUNTS)
def test_keys_that_a_detector_counts(keys, beams, dropped):
    """Written tokens are text; a layer that drops its oldest tokens has lost their places."""
    state = BandState(KVSmooth(score=RowEntropy(keys)), (0,), None, lambda: torch.tensor(PROMPTS))
    state.prepare(DynamicCache(), 9)
    written = 4
    kinds = [[*row, *[PROMPT] * written][dropped:] for row in PROMPTS for _ in range(beams)]
    total = len(PROMPTS[0]) + written
    counted = state.counted_keys(total - dropped, 2 * beams, total if dropped else None, CPU)
    assert counted.tolist() == [[COUNTS[keys](kind) for kind in row] for row in kinds]


def test_room_of_a_static_cache_counts_as_written_tokens_do():
    state = BandState(KVSmooth(score=RowEntropy("image")), (0,), None, lambda: torch.tensor(PROMPTS))
    state.prepare(DynamicCache(), 9)
    assert state.counted_keys(8, 2, 4, CPU)[0].tolist() == [False, False, True, True, False, False, False, False]


def test_all_keys_count_where_nothing_is_said():
    state = BandState(KVSmooth(), (0,), None, None)
    state.prepare(DynamicCache(), 9)
    assert state.counted_keys(8, 2, None, CPU) is None


@pytest.mark.parametrize("plain", [False, True], ids=["cache of the kinds", "cache that knows no kinds"])
def test_layers_of_a_kind_are_scored_together(plain):
    """Gemma 3's layers slide or see all in turn: two calls of the detector a step, each of two layers under one mask."""
    model, inputs = zoo.build("gemma3")
    layers = []

    def score(seen):
        layers.append(len(seen.probabilities))
        return seen.probabilities.amax(-1)

    with KVSmooth(**{**MOVING, "layers": range(4)}, score=score)(model):
        model.generate(**inputs, max_new_tokens=3, past_key_values=DynamicCache() if plain else None)
    assert layers == [2, 2] * 2


def test_changes_are_told_of_what_is_smoothed_alone():
    model, inputs = zoo.build("llama", batch=2)
    for parts in ({"keys": True}, {"values": True}, {"output": True}):
        with KVSmooth(**MOVING, **{"keys": False, "values": False, **parts})(model) as run:
            model.generate(**inputs, max_new_tokens=5)
        assert run.rates.any()
        assert [bool(run.change_keys.any()), bool(run.change_values.any())] == ["keys" in parts, "values" in parts]


@pytest.mark.parametrize("rows", [1, 2])
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_weights_of_an_explicit_row_are_the_models(dtype, rows):
    """Whoever asks for attentions gets them in the model's kind of number, and those that eager attention gives."""
    model, inputs = zoo.build("llama", batch=rows, attn="eager")
    model.to(dtype)
    told = []
    for exact in (True, False):
        with KVSmooth(**MOVING, exact=exact)(model):
            out = model.generate(**inputs, max_new_tokens=2, return_dict_in_generate=True, output_attentions=True)
        told.append(out.attentions[1])  # of the first step, before which nothing was smoothed
    for exact, explicit in zip(*told, strict=True):
        assert explicit.shape == exact.shape
        assert explicit.dtype == exact.dtype == dtype
    # the first layer's input is the same; weights below 1 are rounded twice at most
    assert_close(told[1][0], told[0][0], share=2 * torch.finfo(dtype).eps)


def group(method, rows=2, steps=None):
    unit = Unit(CPU, rows, heads=4, kv=2, key_channels=3, value_channels=5, sliding=False, kind="", alone=-1)
    return Group(method, (0, 1), (0, 1), unit, steps, None)


@pytest.mark.parametrize("previous", ["smoothed", "raw"])
def test_nothing_is_kept_that_a_method_does_not_mix(previous):
    made = group(KVSmooth(previous=previous))
    made.seed({}, {0: torch.ones(2, 4, 5)})
    with pytest.raises(RuntimeError, match="leaves outputs alone is asked to smooth one"):
        made.smooth_output(torch.ones(2, 1, 4, 5), torch.zeros(2))
    assert (made.raw is None) == (previous == "smoothed")


@pytest.mark.parametrize("steps", [None, 7])
@pytest.mark.parametrize("kept", [[0, 2], [2, 0], [1]])
def test_previous_states_and_outputs_follow_their_rows(kept, steps):
    method = KVSmooth(lambda_ref=0.5, margin=0.5, previous="raw", output=True)
    rows = torch.arange(3.0)
    states = {layer: (rows.view(3, 1, 1).expand(3, 2, 3) + layer, 10 + rows.view(3, 1, 1).expand(3, 2, 5) + layer) for layer in (0, 1)}
    outputs = {0: 20 + rows.view(3, 1, 1).expand(3, 4, 5)}
    for how in ("keep", "reorder"):
        made = group(method, 3, steps)
        made.seed(states, outputs)
        chosen = kept if how == "keep" else (kept * 3)[:3]
        getattr(made, how)(torch.tensor(chosen))
        assert made.raw[0][:, :, 0, 0].tolist() == [[row + layer for row in chosen] for layer in (0, 1)]
        assert made.raw[1][:, :, 0, 0].tolist() == [[10 + row + layer for row in chosen] for layer in (0, 1)]
        assert made.output[0, :, 0, 0].tolist() == [20 + row for row in chosen]
        # an output of zeros, mixed half and half with the previous one
        told = made.smooth_output(torch.zeros(len(chosen), 1, 4, 5), torch.full((len(chosen),), 0.5))
        assert told[:, 0, 3, 4].tolist() == [(20 + row) / 2 for row in chosen]


def test_a_record_keeps_the_places_of_rows_that_have_left():
    made = group(KVSmooth(), 3)
    assert made.record().shape == (0, 4, 2, 3)
    made.note(torch.ones(4, 2, 3))
    made.keep(torch.tensor([2, 0]))
    made.note(torch.arange(2.0).expand(4, 2, 2) + 5)
    made.keep(torch.tensor([1]))
    made.note(torch.full((4, 2, 1), 9.0))
    assert made.record()[:, 0, 0].tolist() == [[1, 1, 1], [6, 0, 5], [9, 0, 0]]
