"""Cells that share prompts and let rows go say what each says by itself, through `generate`."""

from contextlib import nullcontext

import pytest
import torch

from analysis.cells import decoding
from analysis.cells.decoding import Decoding, reads_prompt
from kvsmooth import KVSmooth
from kvsmooth.sinks import KeyNorm, MassiveActivation, RowEntropy
from tests import zoo
from tests.kvsmooth.cases import METHOD, MOVING

TOKENS = 8


@pytest.fixture
def batches():
    model, inputs = zoo.build("llava", batch=4)
    model.generation_config.eos_token_id = zoo.EOS
    return model, [{name: values[part] for name, values in inputs.items()} for part in (slice(0, 2), slice(2, 4))]


def alone(model, inputs, method):
    with nullcontext() if method is None else method(model) as run, torch.no_grad():
        said = model.generate(**inputs, max_new_tokens=TOKENS)
    return said[:, inputs["input_ids"].shape[1] :], run


@pytest.mark.slow
def test_every_cell_says_what_it_says_alone(batches):
    model, inputs = batches
    held = Decoding(model, inputs, TOKENS)
    for method in (None, METHOD, KVSmooth(**MOVING, previous="raw"), KVSmooth(**MOVING, score=MassiveActivation()), METHOD):
        for number in (0, 1):
            said, run = held.run(number, method)
            expected, its = alone(model, inputs[number], method)
            assert torch.equal(said, expected)
            assert run is its is None or torch.equal(run.rates, its.rates)
    assert set(held.prompts) == {0, 1}


def test_prompts_are_read_once_as_far_as_memory_goes(batches, monkeypatch):
    model, inputs = batches
    read = []
    monkeypatch.setattr(decoding, "prefill", lambda *given: read.append(1) or original(*given))
    held = Decoding(model, inputs, TOKENS)
    for _ in range(3):
        held.run(0, None), held.run(1, METHOD)
    assert len(read) == 2
    monkeypatch.setattr(decoding, "KEPT", 1)
    short = Decoding(model, inputs, TOKENS)
    assert torch.equal(short.run(1, METHOD)[0], held.run(1, METHOD)[0])
    assert set(short.prompts) == {1}
    assert torch.equal(short.run(0, METHOD)[0], held.run(0, METHOD)[0])
    assert set(short.prompts) == {1}


original = decoding.prefill


def test_a_method_that_looks_at_the_prompt_reads_its_own():
    assert not reads_prompt(None)
    assert not reads_prompt(METHOD)
    assert not reads_prompt(KVSmooth(score=KeyNorm()))
    for method in (
        KVSmooth(previous="raw"),
        KVSmooth(keys=False, values=False, output=True),
        KVSmooth(score=RowEntropy("image")),
        KVSmooth(score=MassiveActivation()),
    ):
        assert reads_prompt(method)
