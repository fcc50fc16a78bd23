"""Receipts: a policy that replays a first pass applies, inside a model, exactly the rates it promises."""

import pytest
import torch

from kvsmooth import KVSmooth, Unsupported
from kvsmooth.policies import FirstPass, Mean, Permuted, Position, Random, Shifted, Swapped, TokenClass
from tests import zoo
from tests.kvsmooth.cases import FAMILIES, FAST, Forced

TOKENS = 7


def options(model):
    return {"lambda_ref": 0.5, "margin": 0.4, "window": 4, "layers": range(len(zoo.decoder_of(model).layers))}


def two_passes(name, policies, **changes):
    """The first run's rates, and those of a second run of the same tokens under each policy."""
    model, inputs = zoo.build(name, batch=2)
    with KVSmooth(**options(model), **changes)(model) as run:
        tokens = model.generate(**inputs, max_new_tokens=TOKENS)[:, -TOKENS:]
    first = FirstPass(run.rates, torch.tensor([TOKENS - 1, TOKENS - 1]))
    seconds = []
    for policy in policies:
        with KVSmooth(**options(model), **changes, policy=policy(first, tokens))(model) as second:
            model.generate(**inputs, max_new_tokens=TOKENS, logits_processor=[Forced(tokens)])
        seconds.append(second.rates)
    return run.rates, seconds


def check_order(second, first):
    assert torch.equal(second.sort(0).values, first.sort(0).values)
    assert not torch.equal(second, first)


def check_swapped(second, first):
    assert torch.equal(second, first.flip(2))


def check_mean(second, first):
    torch.testing.assert_close(second, first.mean(0).expand_as(first), atol=1e-6, rtol=0)


CHECKS = {Permuted: check_order, Shifted: check_order, Swapped: check_swapped, Mean: check_mean}
REPLAYED = dict.fromkeys(FAST, tuple(CHECKS))
REPLAYED |= {name: (policy,) for name, policy in zoo.turns([name for name in zoo.FAMILIES if name not in FAST], tuple(CHECKS))}
"""Which rates are replayed is no family's own: the policies by turns."""


@pytest.mark.parametrize("name", FAMILIES)
def test_replayed_tokens_get_exactly_the_first_pass_s_multiset(name):
    first, seconds = two_passes(name, [lambda first, _, policy=policy: policy(first) for policy in REPLAYED[name]])
    assert first.std() > 0.1
    for policy, second in zip(REPLAYED[name], seconds, strict=True):
        CHECKS[policy](second, first)


@pytest.mark.parametrize("changes", [{"heads": "per_head"}, {"timing": "recompute"}, {"exact": False}], ids=str)
def test_receipts_hold_for_other_options(changes):
    first, (permuted,) = two_passes("gemma3", (lambda first, _: Permuted(first, 1),), **changes)
    torch.testing.assert_close(permuted.sort(0).values, first.sort(0).values, atol=1e-6, rtol=0)


@pytest.mark.parametrize("name", ["llava", *(pytest.param(name, marks=pytest.mark.slow) for name in ("gemma3", "instructblip"))])
def test_position_and_token_class_apply_their_tables(name):
    classes = torch.arange(zoo.VOCABULARY) % 3
    fed = {}

    def by_class(first, tokens):
        fed["tokens"] = tokens[:, :-1].T
        return TokenClass(first, fed["tokens"], classes)

    first, (position, token_class, drawn) = two_passes(name, (lambda first, _: Position(first), by_class, lambda first, _: Random(first)))
    torch.testing.assert_close(position, first.mean(2, keepdim=True).expand_as(first), atol=1e-6, rtol=0)
    kinds = classes[fed["tokens"]]
    for kind in kinds.unique():
        chosen = (kinds == kind).nonzero().tolist()
        mean = sum(first[step, :, row].double() for step, row in chosen) / len(chosen)
        for step, row in chosen:
            torch.testing.assert_close(token_class[step, :, row], mean.float(), atol=1e-6, rtol=0)
    for layer in range(first.shape[1]):
        for row in range(2):
            assert set(drawn[:, layer, row].tolist()) <= set(first[:, layer, row].tolist())


def test_beams_and_other_batches_are_refused():
    model, inputs = zoo.build("llama", batch=2)
    method = options(model)
    first = FirstPass(torch.full((4, 3, 2), 0.5), torch.tensor([4, 4]))
    with KVSmooth(**method, policy=Permuted(first))(model), pytest.raises(Unsupported, match=r"the rates of the 4 rows decoded; got 2"):
        model.generate(**inputs, max_new_tokens=3, num_beams=2)
    four = FirstPass(torch.full((4, 3, 4), 0.5), torch.tensor([4, 4, 4, 4]))
    with KVSmooth(**method, policy=Permuted(four))(model), pytest.raises(Unsupported, match="cannot follow beams; leave num_beams out"):
        model.generate(**inputs, max_new_tokens=3, num_beams=2)
    with KVSmooth(**method, policy=Position(first))(model) as run:
        model.generate(**inputs, max_new_tokens=3, num_beams=2)
    assert run.rates.eq(0.5).all()


def test_token_classes_without_token_ids_are_refused():
    model, inputs = zoo.build("llama")
    first = FirstPass(torch.full((4, 3, 1), 0.5), torch.tensor([4]))
    policy = TokenClass(first, torch.zeros(4, 1, dtype=torch.long), torch.zeros(zoo.VOCABULARY, dtype=torch.long))
    decoder, embed = zoo.decoder_of(model), model.get_input_embeddings()
    with KVSmooth(**options(model), policy=policy)(model), torch.no_grad():
        cache = decoder(inputs_embeds=embed(inputs["input_ids"]), use_cache=True).past_key_values
        with pytest.raises(Unsupported, match="needs the ids of the tokens fed while decoding; got embeddings only: pass input_ids"):
            decoder(inputs_embeds=embed(torch.tensor([[7]])), past_key_values=cache)
