"""VISTA equals feed-forward parts with its turn behind them, and logits mixed by hand; its directions come from two passes by hand."""

import math

import pytest
import torch

from kvsmooth import KVSmooth, Unsupported
from kvsmooth.baselines import M3ID, PAI, VISTA, VTI
from kvsmooth.baselines.bare import Bare
from kvsmooth.baselines.method import scaled
from tests import zoo
from tests.kvsmooth.baselines.cases import ALL, TEXT_ONLY, directions, forced, in_batch, one_row, said, shared, strong
from tests.kvsmooth.baselines.test_branches import speaker, without_image
from tests.kvsmooth.baselines.test_exits import early_logits
from tests.kvsmooth.cases import FAMILIES
from tests.rounding import assert_close

WITH_IMAGE = [family for family in FAMILIES if family.values[0] not in TEXT_ONLY]
TURNING = VISTA(strength=0.8, mix=0.0)


class Turn(torch.nn.Module):
    """One state after the other, in plain Python."""

    def __init__(self, direction, method):
        super().__init__()
        self.direction, self.method = self.normed(direction.tolist()), method

    @staticmethod
    def normed(state):
        size = math.sqrt(sum(x * x for x in state))
        return [x / size for x in state]

    def forward(self, states):
        turned = []
        for state in states.double().flatten(0, -2).tolist():
            size, unit = math.sqrt(sum(x * x for x in state)), self.normed(state)
            away = max(0.0, -sum(x * y for x, y in zip(unit, self.direction, strict=True)))
            push = self.method.strength * (1 + away if self.method.gated else 1)
            turned.append([size * x for x in self.normed([x + push * y for x, y in zip(unit, self.direction, strict=True)])])
        return torch.tensor(turned, dtype=states.dtype).view(states.shape)


def last_states(model, inputs):
    """The newest state behind each layer at the end of the prompt of one row."""
    states = []

    def keep(layer, args, output):
        states.append((output[0] if isinstance(output, tuple) else output)[0, -1].clone())

    hooks = [layer.register_forward_hook(keep) for layer in zoo.decoder_of(model).layers]
    model.generate(**inputs, max_new_tokens=1)
    for hook in hooks:
        hook.remove()
    return torch.stack(states)


def with_turns(family, row, method):
    """The model with the turns of one row of a batch of two behind its feed-forward parts, and this row's inputs."""
    model, inputs = zoo.build(family, batch=2)
    alone = one_row(inputs, row)
    blind = without_image(alone)
    text = speaker(model, blind)
    found = last_states(model, alone) - last_states(text, blind)
    model, _ = zoo.build(family, batch=2)
    for layer, direction in zip(zoo.decoder_of(model).layers, found, strict=True):
        name = "mlp" if hasattr(layer, "mlp") else "fc2"
        setattr(layer, name, torch.nn.Sequential(getattr(layer, name), Turn(direction, method)))
    return model.eval(), alone


@pytest.mark.parametrize("family", WITH_IMAGE)
def test_it_equals_its_slow_reference(family):
    method = strong("vista")
    ours, tokens, run = in_batch("vista", family)
    for row in range(2):
        slow, alone = with_turns(family, row, method)
        last, early = early_logits(slow, alone, tokens[row : row + 1], method.places, normed=False)
        mixed = torch.stack([0.4 * sum(one) / 2 + 0.6 * logits for logits, one in zip(last, early, strict=True)])
        assert_close(ours[:, row : row + 1], mixed, of=torch.stack(last))
    assert run.report()["turned"] > 0.05


def test_the_simple_mode_and_single_layers():
    method = VISTA(strength=0.5, gated=False, mix=0.0, layers=(1,))
    model, inputs = zoo.build("llava", batch=2)
    ours, tokens, _ = said(model, inputs, method)
    slow, alone = with_turns("llava", 0, method)
    for layer in (0, 2):
        part = zoo.decoder_of(slow).layers[layer]
        part.mlp = part.mlp[0]
    assert_close(ours[:, :1], forced(slow, alone, tokens[:1]))


@pytest.mark.parametrize("other", [KVSmooth(lambda_ref=0.5, margin=0.5, layers=ALL), PAI(alpha=0.7, layers=ALL)], ids=["kvsmooth", "pai"])
def test_another_method_acts_on_the_turned_model(other):
    """In either order; directions are those of the plain model."""
    model, inputs = zoo.build("llava", batch=2)
    with TURNING(model):
        ours, tokens, run = said(model, inputs, other)
    for row in range(2):
        slow, alone = with_turns("llava", row, TURNING)
        assert_close(ours[:, row : row + 1], forced(slow, alone, tokens[row : row + 1], other))
    with other(model) as outer:
        assert_close(said(model, inputs, TURNING)[0], ours)
    for receipts in (run, outer):
        assert receipts.report().get("texts", 1) == 1


def test_a_branch_without_an_image_is_left_alone():
    """M3ID's l' is what the plain model says to the text."""
    model, inputs = zoo.build("llava", batch=2)
    gated = M3ID(decay=0.1, gate="none")
    with TURNING(model):
        ours, tokens, _ = said(model, inputs, gated, tokens=4)
    for row in range(2):
        slow, alone = with_turns("llava", row, TURNING)
        seen = forced(slow, alone, tokens[row : row + 1]).log_softmax(-1)
        unseen = forced(model, without_image(alone), tokens[row : row + 1]).log_softmax(-1)
        weights = torch.tensor([math.expm1(0.1 * (step + 1)) for step in range(4)])[:, None, None]
        assert_close(ours[:, row : row + 1], seen + weights * (seen - unseen), of=[200.0])


def test_a_static_cache_gives_the_same():
    model, inputs = shared("llava", batch=2)
    ours, _, _ = in_batch("vista", "llava")
    assert_close(said(model, inputs, strong("vista"), cache_implementation="static", disable_compile=True)[0], ours)


def test_default_places_are_those_of_the_code_at_32_layers():
    assert scaled(26, 32, 32) == range(26, 32)


@pytest.mark.parametrize("family", ["llava", "qwen2_vl", "blip2_opt"])
def test_the_bare_twin_is_the_plain_model_and_nobody_sees_it(family):
    model, inputs = zoo.build(family)
    with torch.no_grad():
        expected = model(**inputs).logits
    with VTI(directions(), alpha=6.0)(model), KVSmooth(layers=ALL)(model), PAI(alpha=5.0, layers=ALL)(model) as run:
        twin = Bare(model)
        with torch.no_grad():
            found = twin.of(model)(**inputs).logits
            changed = model(**inputs).logits
    assert torch.equal(found, expected)
    assert not torch.allclose(changed, expected, atol=0.01)
    assert run.report()["texts"] == 0
    assert all(one is other for one, other in zip(model.parameters(), twin.of(model).parameters(), strict=True))
    assert twin.of(zoo.decoder_of(model)).config is not zoo.decoder_of(model).config


def test_a_loop_of_ones_own_that_feeds_its_prompt_in_two_is_refused():
    model, inputs = zoo.build("llava")
    ids = inputs["input_ids"]
    with strong("vista")(model), torch.no_grad():
        cache = model(**inputs, use_cache=True).past_key_values
        with pytest.raises(Unsupported, match="feed it at once, to an empty cache"):
            model(input_ids=ids[:, -3:], past_key_values=cache)


def test_a_prompt_that_was_not_seen_is_refused():
    model, inputs = zoo.build("llava")
    cache = model(**inputs, use_cache=True).past_key_values
    with pytest.raises(Unsupported, match="the cache held tokens before"), strong("vista")(model), torch.no_grad():
        model(input_ids=torch.tensor([[5]]), past_key_values=cache)


def test_prompts_in_chunks_and_parts_of_the_model_are_refused():
    model, inputs = zoo.build("llava")
    with strong("vista")(model), pytest.raises(Unsupported, match="leave prefill_chunk_size out"):
        model.generate(**inputs, max_new_tokens=3, prefill_chunk_size=4)
    with strong("vista")(model), pytest.raises(Unsupported, match="call the model itself, not a part of it"), torch.no_grad():
        model.model(**inputs, use_cache=True)
