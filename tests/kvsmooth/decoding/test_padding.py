"""Padding behind a prompt is refused by whoever can see it; padding behind a text's end is what a batch is fed, and passes."""

import pytest
import torch
from transformers import DynamicCache, GenerationConfig

from kvsmooth import Unsupported
from tests import zoo
from tests.kvsmooth.cases import METHOD

REFUSED = r'^KVSmooth mixes a first token with the prompt\'s last, which is padding in row 1; pad with padding_side="left"\.$'
STEPS = 3


def padded(side):
    """Two prompts, of which the second is shorter."""
    model, inputs = zoo.build("llama", batch=2)
    if side == "right":
        short = inputs["attention_mask"][1].eq(0).sum()
        inputs = {name: torch.stack((value[0], value[1].roll(-int(short)))) for name, value in inputs.items()}
    return model, inputs


def loop(model, inputs, hidden=(), pieces=(100,), **options):
    """A greedy loop of one's own; the mask hides these (row, step) of what is fed."""
    mask = inputs["attention_mask"]
    with METHOD(model) as run, torch.no_grad():
        cache, start = DynamicCache(config=model.config), 0
        for length in pieces:
            end = start + length
            out = model(input_ids=inputs["input_ids"][:, start:end], attention_mask=mask[:, :end], past_key_values=cache)
            start = end
        for step in range(STEPS):
            newest = torch.tensor([[(row, step) not in hidden] for row in range(len(mask))]).to(mask)
            mask = torch.cat((mask, newest), 1)
            tokens = out.logits[:, -1].argmax(-1, keepdim=True)
            out = model(input_ids=tokens, attention_mask=mask, past_key_values=cache, **options)
    return run


@pytest.mark.parametrize("pieces", [(100,), (4, 100)], ids=["whole", "in pieces"])
def test_a_loop_is_told_at_its_first_step(pieces):
    model, inputs = padded("right")
    with pytest.raises(Unsupported, match=REFUSED):
        loop(model, inputs, pieces=pieces)
    assert len(loop(*padded("left"), pieces=pieces).rates) == STEPS


def test_a_row_that_has_ended_may_be_hidden_from_there_on():
    model, inputs = padded("left")
    whole = loop(model, inputs)
    for hidden in ({(0, 1), (0, 2)}, {(0, 0), (0, 1), (0, 2)}):
        assert torch.equal(loop(model, inputs, hidden).rates[:, :, 1], whole.rates[:, :, 1])


def test_generate_is_told_before_anything_runs():
    model, inputs = padded("right")
    passes = []
    model.model.register_forward_pre_hook(lambda *_: passes.append(1))
    with METHOD(model), pytest.raises(Unsupported, match=REFUSED):
        model.generate(**inputs, max_new_tokens=STEPS)
    assert not passes


@pytest.mark.parametrize("name", ["input_ids", "inputs"])
def test_without_a_mask_the_padding_token_tells(name):
    model, inputs = padded("right")
    ids = {name: inputs["input_ids"]}
    with METHOD(model):
        with pytest.raises(Unsupported, match=REFUSED):
            model.generate(**ids, max_new_tokens=STEPS)
        model.generate(**ids, attention_mask=torch.ones_like(inputs["input_ids"]), max_new_tokens=STEPS)


@pytest.mark.parametrize("end", [zoo.PAD, [zoo.EOS, zoo.PAD]])
def test_a_padding_token_that_ends_texts_tells_nothing(end):
    """`generate` takes it for a token of the prompt then."""
    model, inputs = padded("right")
    with METHOD(model) as run:
        model.generate(inputs["input_ids"], max_new_tokens=STEPS, min_new_tokens=STEPS, eos_token_id=end)
    assert len(run.rates) == STEPS - 1


def test_options_are_those_of_the_call_then_of_its_configuration_then_of_the_model():
    model, inputs = padded("right")
    ids, other = inputs["input_ids"], 7
    assert not ids[:, -1].eq(other).any()
    with METHOD(model):
        model.generate(ids, max_new_tokens=STEPS, generation_config=GenerationConfig(pad_token_id=other))
        with pytest.raises(Unsupported, match=REFUSED):
            model.generate(ids, max_new_tokens=STEPS, generation_config=GenerationConfig(pad_token_id=other), pad_token_id=zoo.PAD)
        model.generation_config.pad_token_id = other
        model.generate(ids, max_new_tokens=STEPS)
