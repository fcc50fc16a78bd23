"""Rows that have ended leave the batch, and nothing that is said changes: neither tokens nor what a method did to them."""

from contextlib import nullcontext

import pytest
import torch

from kvsmooth import KVSmooth
from kvsmooth.policies import FirstPass, Swapped
from probes.greedy import LEAST, STEP, greedy, prefill, understood
from tests import zoo
from tests.kvsmooth.cases import METHOD, MOVING, RICH
from tests.rounding import assert_close

ROWS, TOKENS = LEAST + 8, 9
METHODS = {
    "baseline": None,
    "paper": METHOD,
    "rich": RICH,
    "output": KVSmooth(**MOVING, keys=False, values=False, output=True),
    "random direction": KVSmooth(**MOVING, mix="random_direction"),
    "running mean": KVSmooth(**MOVING, mix="running_mean", exact=False),
}


@pytest.fixture
def ending():
    """A batch in which most rows end, at different steps."""
    model, inputs = zoo.build("llava", batch=ROWS)
    said = model.generate(**inputs, max_new_tokens=TOKENS)[:, -TOKENS:]
    model.generation_config.eos_token_id = sorted({int(row[1 + i % 5]) for i, row in enumerate(said[: ROWS - 4])})
    return model, inputs


def widths(model):
    """Rows of every pass."""
    seen = []
    hook = model.get_decoder().register_forward_pre_hook(lambda _, args, given: seen.append(len(given["inputs_embeds"])), with_kwargs=True)
    return seen, hook


def both(model, inputs, method):
    """Tokens and run of `generate`, then of the loop whose rows leave, with the widths of its passes."""
    with nullcontext() if method is None else method(model) as run, torch.no_grad():
        expected = model.generate(**inputs, max_new_tokens=TOKENS)[:, inputs["input_ids"].shape[1] :]
    seen, hook = widths(model)
    with hook, nullcontext() if method is None else method(model) as own:
        found = greedy(model, inputs, TOKENS)
    return expected, run, found, own, seen


def assert_same_run(run, own):
    assert torch.equal(own.own, run.own)
    for name in ("rates", "entropies", "change_keys", "change_values"):
        mine, theirs = (getattr(one, name).transpose(1, 2)[run.own] for one in (own, run))
        assert_close(mine, theirs, told=name)
    assert own.report()["tokens"] == run.report()["tokens"]


@pytest.mark.parametrize("name", METHODS)
def test_rows_leave_and_the_others_go_on_as_before(ending, name):
    expected, run, found, own, seen = both(*ending, METHODS[name])
    assert torch.equal(found, expected)
    assert seen[0] == ROWS
    assert LEAST <= seen[-1] <= ROWS - STEP
    if run is not None:
        assert_same_run(run, own)


def test_rates_laid_down_for_rows_stay_with_their_rows(ending):
    first = torch.rand(TOKENS, 3, ROWS, generator=torch.Generator().manual_seed(0))
    policy = Swapped(FirstPass(first, torch.arange(ROWS) % TOKENS + 1))
    expected, run, found, own, seen = both(*ending, KVSmooth(**MOVING, policy=policy))
    assert torch.equal(found, expected)
    assert seen[-1] < ROWS
    assert_same_run(run, own)


@pytest.mark.parametrize("method", [None, METHOD], ids=["baseline", "paper"])
def test_a_prompt_read_once_serves_many_runs(ending, method):
    model, inputs = ending
    start = prefill(model, inputs)
    assert start.bytes > 0
    for _ in range(2):
        with nullcontext() if method is None else method(model):
            expected = greedy(model, inputs, TOKENS)
        with nullcontext() if method is None else method(model):
            assert torch.equal(greedy(model, inputs, TOKENS, start), expected)


def test_a_bound_ends_what_does_not_end_by_itself():
    model, inputs = zoo.build("llava", batch=2)
    model.generation_config.eos_token_id = zoo.EOS
    assert torch.equal(greedy(model, inputs, 5), model.generate(**inputs, max_new_tokens=5)[:, -5:])


def test_what_generate_would_do_otherwise_is_left_to_it():
    model, inputs = zoo.build("llava")
    assert not understood(model, inputs)  # it never ends by itself
    model.generation_config.eos_token_id = zoo.EOS
    assert understood(model, inputs)
    for name, value in {
        "repetition_penalty": 1.2,
        "suppress_tokens": [5],
        "min_new_tokens": 3,
        "dola_layers": "high",
        "cache_implementation": "static",
    }.items():
        setattr(model.generation_config, name, value)
        assert not understood(model, inputs)
        setattr(model.generation_config, name, None)
    assert not understood(model, {**inputs, "image_sizes": torch.ones(1, 2)})
    other, its = zoo.build("gemma3")
    other.generation_config.eos_token_id = zoo.EOS
    assert not understood(other, its)
