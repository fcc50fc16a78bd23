"""Rows that leave a batch in a loop of one's own: the method follows the cache's own `batch_select_indices`."""

import pytest
import torch

from kvsmooth import KVSmooth, Unsupported
from kvsmooth.policies import FirstPass, TokenClass
from kvsmooth.sinks import BosCosine, RowEntropy
from tests import zoo
from tests.kvsmooth.cases import METHOD, MOVING
from tests.rounding import assert_close

STEPS = 6
FIRST = FirstPass(torch.linspace(0, 1, 8 * 3 * 8).view(8, 3, 8), torch.full((8,), 8))
METHODS = {
    "default": METHOD,
    "output, per head": KVSmooth(**MOVING, output=True, heads="per_head"),
    "raw, output": KVSmooth(**MOVING, previous="raw", output=True),
    "mean of all before": KVSmooth(**MOVING, mix="running_mean"),
    "known tokens": KVSmooth(**MOVING, policy=TokenClass(FIRST, torch.arange(64).view(8, 8), torch.arange(64) % 7)),
    "keys by kind": KVSmooth(**MOVING, score=RowEntropy("without_bos", normalise=True)),
    "the prompt's states": KVSmooth(**MOVING, score=BosCosine()),
}


def likeliest(output):
    """Of each row's next tokens, the end left out: whoever leaves is sent away."""
    return output.logits[:, -1].index_fill(1, torch.tensor([zoo.EOS]), -torch.inf).argmax(-1)


def decode(model, inputs, leave=None, rows=(0, 2)):
    """A greedy loop in which only some rows go on from step `leave`; every row's logits at the last step of all."""
    with torch.no_grad():
        output = model(**inputs, use_cache=True)
        cache, mask = output.past_key_values, inputs["attention_mask"]
        for step in range(STEPS):
            tokens = likeliest(output)
            mask = torch.cat((mask, torch.ones_like(mask[:, :1])), 1)
            if step == leave:
                rows = torch.as_tensor(rows)
                cache.batch_select_indices(rows)
                tokens, mask = tokens[rows], mask[rows]
            output = model(input_ids=tokens[:, None], attention_mask=mask, past_key_values=cache)
    return output.logits[:, -1]


@pytest.fixture
def batch():
    model, inputs = zoo.build("llama", batch=3)
    model.generation_config.eos_token_id = zoo.EOS
    return model, inputs


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS)
def test_the_rows_that_stay_are_smoothed_as_before(batch, method):
    model, inputs = batch
    with method(model) as run:
        whole = decode(model, inputs)
    with method(model) as own:
        fewer = decode(model, inputs, leave=3)
    assert_close(fewer, whole[[0, 2]])
    assert len(run.rates.unique()) > 2
    assert own.rates.shape == run.rates.shape
    assert_close(own.rates[:, :, [0, 2]], run.rates[:, :, [0, 2]])
    assert_close(own.rates[:3], run.rates[:3])


def test_what_has_left_counts_nowhere(batch):
    model, inputs = batch
    with METHOD(model) as run:
        decode(model, inputs, leave=3)
    assert run.own[:, 1].tolist() == [True] * 3 + [False] * 3
    assert run.own[:, [0, 2]].all()
    assert run.report()["tokens"] == 2 * STEPS + 3


def test_rows_may_leave_one_after_the_other(batch):
    model, inputs = batch
    with torch.no_grad(), METHOD(model) as run:
        output = model(**inputs, use_cache=True)
        cache, rows = output.past_key_values, 3
        for step in range(4):
            tokens = likeliest(output)
            if step in (1, 2):
                rows -= 1
                cache.batch_select_indices(torch.arange(1, rows + 1))
                tokens = tokens[1:]
            output = model(input_ids=tokens[:, None], past_key_values=cache)
    assert run.own.sum(0).tolist() == [1, 2, 4]


def test_the_cache_is_its_own_after_the_block(batch):
    model, inputs = batch
    with METHOD(model), torch.no_grad():
        cache = model(**inputs, use_cache=True).past_key_values
        assert "batch_select_indices" in vars(cache)
        model(input_ids=inputs["input_ids"][:, -1:], past_key_values=cache)
    assert "batch_select_indices" not in vars(cache)


def test_without_an_end_token_nobody_could_tell_who_has_left():
    model, inputs = zoo.build("llama", batch=3)
    with pytest.raises(Unsupported, match="rows that leave a batch"), METHOD(model):
        decode(model, inputs, leave=3)
