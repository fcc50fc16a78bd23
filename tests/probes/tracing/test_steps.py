"""The collector knows which step it is in, and says so when it is not; what it keeps does not grow with the keys."""

import gc
from collections import deque

import pytest
import torch

from probes.recorders import DEFAULT_RECORDERS, RECORDERS
from probes.regimes import record_inputs
from probes.tracing.collector import OutOfStep, StepCollector
from probes.tracing.steps import GenerationSetting
from probes.tracing.tracing import Tracing
from tests.zoo import build

LAYERS, ROWS, HEADS, KV_HEADS, DIM, CHANNELS, PROMPT, TOKENS = 2, 2, 4, 2, 8, 16, 5, 11


def collector(recorders=("entropy", "mass", "drift", "norms", "probability"), new=8):
    groups = torch.tensor([[0, 2, 2, 3, 3], [-1, 0, 2, 2, 3]])
    setting = GenerationSetting(groups, tuple(range(LAYERS)), new)
    return StepCollector(setting, [RECORDERS[name](setting) for name in recorders])


def attend(made, layer, queries, keys, cached=None):
    draw = torch.randn
    made.attention(
        layer, keys if cached is None else cached, draw(ROWS, HEADS, queries, DIM), draw(ROWS, KV_HEADS, keys, DIM),
        draw(ROWS, KV_HEADS, keys, DIM), None, None,
    )  # fmt: skip


def forward(made, queries, keys):
    made.begin(keys - queries)
    for layer in range(LAYERS):
        attend(made, layer, queries, keys)
        made.output(layer, torch.randn(ROWS, queries, CHANNELS))
    made.end(torch.randn(ROWS, 1, TOKENS))
    made.predicted(torch.zeros(ROWS, dtype=torch.long))


def test_steps_are_counted_from_the_prompt_on():
    made = collector()
    forward(made, PROMPT, PROMPT)
    forward(made, 1, PROMPT + 1)
    assert (made.steps, made.positions) == (2, PROMPT + 1)


def test_a_prompt_in_parts_is_one_step():
    made = collector()
    forward_part = [(2, 2), (2, 4), (1, 5)]
    for queries, keys in forward_part[:-1]:
        made.begin(keys - queries)
        for layer in range(LAYERS):
            attend(made, layer, queries, keys)
            made.output(layer, torch.randn(ROWS, queries, CHANNELS))
        made.end(None)
        assert made.steps == 0
    forward(made, *forward_part[-1])
    assert made.steps == 1


def test_a_skipped_step_is_noticed():
    made = collector()
    forward(made, PROMPT, PROMPT)
    with pytest.raises(OutOfStep, match="began at position 6; the one before ended at 5"):
        forward(made, 1, PROMPT + 2)


def test_a_layer_that_belongs_to_the_next_step_is_noticed():
    made = collector()
    forward(made, PROMPT, PROMPT)
    made.begin(PROMPT)
    attend(made, 0, 1, PROMPT + 1)
    made.output(0, torch.randn(ROWS, 1, CHANNELS))
    with pytest.raises(OutOfStep, match="layer 1 at step 1: 7 cached positions and 1 queries; 6 and 1 are expected"):
        attend(made, 1, 1, PROMPT + 2)


def test_a_static_cache_that_is_one_step_ahead_is_noticed_though_its_length_never_changes():
    made = collector()
    made.begin(0)
    for layer in range(LAYERS):
        attend(made, layer, PROMPT, 32, cached=PROMPT)
        made.output(layer, torch.randn(ROWS, PROMPT, CHANNELS))
    made.end(torch.randn(ROWS, 1, TOKENS))
    made.begin(PROMPT)
    with pytest.raises(OutOfStep):
        attend(made, 0, 1, 32, cached=PROMPT + 2)


@pytest.mark.parametrize(
    ("wrong", "complaint"),
    [
        (lambda made: attend(made, 1, PROMPT, PROMPT), "layer 1 was read where layer 0 was due"),
        (lambda made: made.output(0, torch.randn(ROWS, PROMPT, CHANNELS)), "follows 0 attention calls"),
        (lambda made: made.end(None), "after 0 of 2 layers"),
        (lambda made: attend(made, 0, PROMPT + 1, PROMPT + 1), "the prompt has 5 positions, but the model has read 6"),
        (lambda made: (attend(made, 0, PROMPT, PROMPT), made.output(0, torch.randn(ROWS, 1, CHANNELS))), "layer 0 with 1 positions"),
        (lambda made: (attend(made, 0, PROMPT, PROMPT), attend(made, 0, PROMPT, PROMPT)), "layer 0 was read where layer 1 was due"),
    ],
)
def test_reads_out_of_order_are_noticed(wrong, complaint):
    made = collector()
    made.begin(0)
    with pytest.raises(OutOfStep, match=complaint):
        wrong(made)


def test_two_tokens_at_once_are_no_decoding_step():
    made = collector()
    forward(made, PROMPT, PROMPT)
    with pytest.raises(OutOfStep, match="step 1 was fed 2 tokens"):
        forward(made, 2, PROMPT + 2)


def test_a_trace_that_begins_late_is_noticed_in_a_real_model(monkeypatch):
    """nnsight binds the reads of a loop from 1 on to later steps; without the check the numbers would be shifted in silence."""
    model, inputs = build("llava")
    tracing = Tracing(model)
    read, calls = Tracing._read_pass, []

    def forgetful(self, made, *given):
        calls.append(1)
        if len(calls) == 2:  # lets one forward pass go by: the next read binds to the one after
            _ = self._layers[-1].output
            _ = self._decoder.inputs
        else:
            read(self, made, *given)

    monkeypatch.setattr(Tracing, "_read_pass", forgetful)
    with pytest.raises(OutOfStep):
        record_inputs(tracing, inputs, max_new_tokens=5)


def held_bytes(things):
    """Bytes of every tensor storage that can be reached from these objects."""
    seen, storages, stack = set(), {}, list(things)
    while stack:
        thing = stack.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, torch.Tensor):
            storages[thing.untyped_storage().data_ptr()] = thing.untyped_storage().nbytes()
        elif isinstance(thing, dict):
            stack += [*thing.values()]
        elif isinstance(thing, list | tuple | deque):
            stack += [*thing]
        elif hasattr(thing, "__dict__"):
            stack += [*vars(thing).values()]
    return sum(storages.values())


def memory(names, prompt, steps, groups=3):
    """Bytes that these recorders hold after each step, the table of groups not counted."""
    setting = GenerationSetting(torch.full((1, prompt), groups), tuple(range(LAYERS)), steps, ((), ()))
    made = StepCollector(setting, [RECORDERS[name](setting) for name in names])
    held = []
    for step in range(steps):
        queries = prompt if step == 0 else 1
        keys = prompt + step
        made.begin(keys - queries)
        for layer in range(LAYERS):
            made.attention(
                layer, keys, torch.randn(1, HEADS, queries, DIM), torch.randn(1, KV_HEADS, keys, DIM),
                torch.randn(1, KV_HEADS, keys, DIM), None, None,
            )  # fmt: skip
            made.output(layer, torch.randn(1, queries, CHANNELS))
        made.end(torch.randn(1, 1, 1000))
        made.predicted(torch.zeros(1, dtype=torch.long))
        held.append(held_bytes([made]) - setting.groups.nbytes)
    return held


def test_memory_grows_by_a_few_numbers_a_step_layer_and_head_and_not_with_the_prompt():
    sizes = {prompt: memory(DEFAULT_RECORDERS, prompt, 32) for prompt in (64, 512)}
    numbers = LAYERS * (HEADS * (1 + 6) + 1 + 6 + 3 * 2 + 3) + 1
    assert max(held[-1] - held[0] for held in sizes.values()) <= 31 * numbers * 4
    # what grows with the prompt is its table of groups, eight bytes a position and no factor of layers or heads
    table = 8 * (512 - 64)
    assert max(b - a for a, b in zip(sizes[64], sizes[512], strict=True)) <= 2 * table


def test_windows_are_bounded_and_an_image_is_held_once_a_layer():
    names = ("received", "displacement", "logits", "gain", "patches", "mean_state")
    held = memory(names, 64, 60)
    # 34 past states, then a few numbers a step and layer
    numbers = LAYERS * (1 + 2 * 6 + 4 + 1 + 1) + 2
    assert held[59] - held[39] <= 20 * numbers * 4
    assert held[59] >= 34 * LAYERS * CHANNELS * 4
    with_image = memory(("patches",), 64, 3, groups=2)[-1] - memory(("patches",), 64, 3)[-1]
    assert with_image == pytest.approx(LAYERS * 64 * CHANNELS * 4, abs=200)


@pytest.mark.slow
def test_nothing_of_the_prompt_or_of_the_cache_survives_a_recording():
    model, inputs = build("llava")
    tracing = Tracing(model)
    record_inputs(tracing, inputs, max_new_tokens=3)

    def alive():
        gc.collect()
        return sum(t.untyped_storage().nbytes() for t in gc.get_objects() if issubclass(type(t), torch.Tensor))

    before = alive()
    traces = [record_inputs(tracing, inputs, max_new_tokens=6) for _ in range(3)]
    kept = sum(value.nbytes for trace in traces for value in [*trace.values.values(), trace.tokens])
    assert alive() - before <= kept + 3 * 2000
