"""DoLa and DeCo equal their formulas, token by token, on the hidden states that `generate` hands out."""

import math

import pytest
import torch

from kvsmooth import Unsupported
from kvsmooth.baselines import DeCo, DoLa
from kvsmooth.baselines.deco import candidates
from kvsmooth.baselines.dola import every_second
from kvsmooth.baselines.method import scaled
from tests import zoo
from tests.kvsmooth.baselines.cases import GENERATION, few_tokens, in_batch, shared, strong
from tests.kvsmooth.cases import FAMILIES, Forced
from tests.rounding import assert_close


def early_logits(model, inputs, tokens, places, normed):
    """By step and place, logits "row token" of the head on the newest hidden state."""
    options = {**GENERATION, "max_new_tokens": tokens.shape[1], "logits_processor": [Forced(tokens)], "output_hidden_states": True}
    out = model.generate(**inputs, **options)
    decoder = zoo.decoder_of(model)
    norm = getattr(decoder, "norm", None) or decoder.final_layer_norm
    with torch.no_grad():
        return out.logits, [
            [model.get_output_embeddings()((norm if normed else torch.nn.Identity())(states[place][:, -1])) for place in places]
            for states in out.hidden_states
        ]


def dola(method, last, early):
    """One row, in plain Python."""
    final = last.double().softmax(-1).tolist()
    divergences = []
    for one in early:
        premature = one.double().softmax(-1).tolist()
        total = 0.0
        for p, q in zip(final, premature, strict=True):
            mean = (p + q) / 2
            total += mean * (math.log(mean) - math.log(p)) + mean * (math.log(mean) - math.log(q))
        divergences.append(total / len(final) / 2)
    premature = early[divergences.index(max(divergences))].double().softmax(-1).tolist()
    top = max(final)
    return [math.log(p) - math.log(q) if p >= method.relative_top * top else -1000.0 for p, q in zip(final, premature, strict=True)]


def deco(method, last, early):
    """One row, in plain Python."""
    final = last.double().softmax(-1).tolist()
    order, chosen, total = sorted(range(len(final)), key=lambda token: -final[token]), [], 0.0
    for token in order[: method.most or None]:
        chosen.append(token)
        total += final[token]
        if total >= method.nucleus:
            break
    sure = [(float(one.double().softmax(-1)[token]), number) for number, one in enumerate(early) for token in chosen]
    weight, best = max(sure)
    return [
        float(last[token]) + method.alpha * weight * float(early[best][token]) if token in chosen else -math.inf
        for token in range(len(final))
    ]


@pytest.mark.parametrize("name", ["dola", "deco"])
@pytest.mark.parametrize("family", FAMILIES)
def test_a_method_equals_its_formula_on_the_hidden_states(family, name):
    model, inputs = shared(family, batch=2)
    method = strong(name)
    ours, tokens, run = in_batch(name, family)
    logits, early = early_logits(model, inputs, tokens, method.layers, normed=name == "deco")
    rule = {"dola": dola, "deco": deco}[name]
    for step in range(len(ours)):
        for row in range(2):
            expected = torch.tensor(rule(method, logits[step][row], [one[row] for one in early[step]]))
            assert_close(ours[step, row].double(), expected, of=[float(logits[step].abs().max()) * 4])
    assert run.report()["steps"] == few_tokens(family) - 1


def test_default_places_are_those_of_the_code_at_32_layers():
    assert list(every_second("low", 32)) == [0, 2, 4, 6, 8, 10, 12, 14]
    assert list(every_second("high", 32)) == [16, 18, 20, 22, 24, 26, 28, 30]
    assert scaled(20, 29, 32) == range(20, 29)
    assert scaled(20, 29, 12) == range(8, 11)


def test_candidates_hold_the_crossing_token():
    logits = torch.tensor([[0.5, 0.3, 0.15, 0.05]]).log()
    assert candidates(logits, 0.6, 0).tolist() == [[True, True, False, False]]
    assert candidates(logits, 0.9, 2).tolist() == [[True, True, False, False]]
    assert candidates(logits, 1.0, 0).all()


@pytest.mark.parametrize("method", [DoLa(layers=(3,)), DeCo(layers=(0, 7))], ids=["dola", "deco"])
def test_places_beyond_the_decoder_are_refused(method):
    model, _ = zoo.build("llava")
    with pytest.raises(Unsupported, match=r"\.layers must be places from 0 to 2"), method(model):
        pass
