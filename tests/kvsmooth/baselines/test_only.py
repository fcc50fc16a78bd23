"""ONLY equals its formula, head by head, on weights, values and states that eager `generate` hands out."""

import math
import statistics

import pytest
import torch

from kvsmooth import KVSmooth, Unsupported
from kvsmooth.baselines import ONLY
from tests import zoo
from tests.kvsmooth.baselines.cases import GENERATION, NOT_SERVED, TEXT_ONLY, in_batch, one_row, said, shared, strong
from tests.kvsmooth.cases import FAMILIES, Forced
from tests.rounding import assert_close


def cut(weights, columns):
    """One head's weights with the outliers of these columns at 0, and the entropy of the rest."""
    held = [weights[column] for column in columns]
    bar = statistics.fmean(held) + statistics.stdev(held) if len(held) > 1 else math.inf
    for column in columns:
        weights[column] = 0.0 if weights[column] > bar else weights[column]
    total = sum(weights[column] for column in columns)
    shares = [weights[column] / total for column in columns]
    return -sum(share * math.log(share + 1e-6) for share in shares)


def by_hand(method, family, inputs, tokens, smoothing=None):
    """Logits "step token" of the formula for one row, and at how many steps both agree."""
    model, _ = shared(family, "eager", 2)
    options = {
        "max_new_tokens": len(tokens),
        "logits_processor": [Forced(tokens[None])],
        "output_hidden_states": True,
        "output_attentions": True,
    }
    with smoothing(model) if smoothing else torch.no_grad():
        out = model.generate(**inputs, **GENERATION, **options)
    decoder, head = zoo.decoder_of(model), model.get_output_embeddings()
    last, first = decoder.layers[-1], decoder.layers[method.layer]
    values = out.past_key_values.layers[method.layer].values[0].double()
    ids = inputs["input_ids"][0].tolist()
    image = [place for place, token in enumerate(ids) if token == zoo.IMAGE]
    said_by_formula, agreed = [], 0
    for step, logits in enumerate(out.logits):
        heads = out.attentions[step][method.layer][0, :, -1].double().tolist()
        text = [place for place in range(len(heads[0])) if place not in image][1:]
        ratios = [cut(weights, text) / cut(weights, image) for weights in heads]
        mixed = []
        for number, (weights, ratio) in enumerate(zip(heads, ratios, strict=True)):
            used = 0.0 if ratio < statistics.fmean(ratios) else 1.0
            own = values[number // (len(heads) // len(values))][: len(weights)]
            mixed.append(used * torch.tensor(weights).double() @ own)
        with torch.no_grad():
            state = first.self_attn.o_proj(torch.cat(mixed).float())
            state = 0.2 * out.hidden_states[step][-2][0, -1] + last.input_layernorm(state)
            state = state + last.mlp(last.post_attention_layernorm(state))
            other = head(decoder.norm(state) + 0.5 * out.hidden_states[step][-1][0, -1]).double()
        own = logits[0].double()
        near = (own.softmax(-1) - other.softmax(-1)).abs().sum() < method.gamma
        agreed += int(near)
        changed = own + method.together * other if near else (1 + method.alpha) * own - method.alpha * other
        said_by_formula.append(changed.masked_fill(own < own.max() + math.log(method.beta), -math.inf))
    return torch.stack(said_by_formula), agreed


@pytest.mark.parametrize(
    "family", [family for family in FAMILIES if family.values[0] not in TEXT_ONLY and family.values[0] not in NOT_SERVED["only"]]
)
def test_it_equals_its_formula(family):
    method = strong("only")
    _, inputs = shared(family, batch=2)
    ours, tokens, run = in_batch("only", family)
    agreed = 0
    for row in range(2):
        expected, near = by_hand(method, family, one_row(inputs, row), tokens[row])
        agreed += near
        both = ours[:, row].isfinite() & expected.isfinite()
        assert (ours[:, row].isfinite() != expected.isfinite()).float().mean() < 0.01
        assert_close(ours[:, row][both].double(), expected[both], of=[float(expected[both].abs().max()) * 4])
    assert run.report()["agree"] == pytest.approx(agreed / tokens.numel())


def test_it_adds_and_subtracts():
    model, inputs = zoo.build("llava", batch=2)
    for gamma, share in ((0.0, 0.0), (2.0, 1.0)):
        _, _, run = said(model, inputs, ONLY(gamma=gamma, beta=0.01))
        assert run.report()["agree"] == share


def test_kvsmooth_smooths_what_the_shortcut_reads():
    smoothing, method = KVSmooth(lambda_ref=0.6, layers=(1, 2)), strong("only")
    model, inputs = zoo.build("llava")
    with smoothing(model):
        ours, tokens, _ = said(model, inputs, method)
    expected, _ = by_hand(method, "llava", inputs, tokens[0], smoothing)
    both = ours[:, 0].isfinite() & expected.isfinite()
    assert both.sum() > len(expected)
    assert_close(ours[:, 0][both].double(), expected[both], of=[float(expected[both].abs().max()) * 4])


def test_a_static_cache_gives_the_same():
    model, inputs = shared("llava", batch=2)
    ours, _, _ = in_batch("only", "llava")
    assert_close(said(model, inputs, strong("only"), cache_implementation="static", disable_compile=True)[0], ours)


def test_chunks_of_a_prompt_give_the_same():
    model, inputs = shared("llava", batch=2)
    ours, _, _ = in_batch("only", "llava")
    assert_close(said(model, inputs, strong("only"), prefill_chunk_size=4)[0], ours)


@pytest.mark.parametrize("family", NOT_SERVED["only"])
def test_layers_of_another_build_are_refused(family):
    model, _ = zoo.build(family)
    with pytest.raises(Unsupported, match="only sends a state through the two norms") as refused, ONLY()(model):
        pass
    assert "\n" not in str(refused.value)


def test_the_layer_lies_below_the_last():
    model, _ = zoo.build("llava")
    with pytest.raises(Unsupported, match=r"ONLY\.layer must lie below the last of 3 layers; got 2"), ONLY(layer=2)(model):
        pass
