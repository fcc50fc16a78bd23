"""AVISC equals its formula: blind tokens from the weights that eager attention hands out, and a branch whose other features are zeros."""

import math
import statistics

import pytest
import torch

from kvsmooth import KVSmooth, Unsupported
from kvsmooth.baselines import AVISC
from kvsmooth.baselines.avisc import blind_tokens
from tests import zoo
from tests.kvsmooth.baselines.cases import ALL, TEXT_ONLY, forced, in_batch, one_row, said, shared, strong
from tests.kvsmooth.cases import FAMILIES
from tests.rounding import assert_close


def blind_by_hand(method, family, inputs):
    """Places of the blind tokens of one row, from whole maps of eager attention."""
    model, _ = shared(family, "eager", 2)
    out = model.generate(**inputs, max_new_tokens=1, output_attentions=True, return_dict_in_generate=True)
    places = [place for place, token in enumerate(inputs["input_ids"][0].tolist()) if token == zoo.IMAGE]
    rows = [weights[0, :, -1].double().mean(0)[places].tolist() for weights in out.attentions[0]]
    total, chosen, held = sum(map(sum, rows)), [], 0.0
    for row in sorted(rows, key=lambda row: -sum(row)):
        chosen.append(row)
        held += sum(row) / total
        if held >= method.gamma:
            break
    drawn = [statistics.fmean(column) for column in zip(*chosen, strict=True)]
    bar = statistics.fmean(drawn) + method.deviations * statistics.stdev(drawn)
    return [place for place, value in zip(places, drawn, strict=True) if value >= bar], places


def with_zeros(model, inputs, tokens, zeros, method=None):
    """Logits of one row whose features at these places are zeros, wherever the decoder is given them."""
    decoder, first = zoo.decoder_of(model), [True]

    def before(module, args, kwargs):
        if not first:
            return None
        first.clear()
        embeds = kwargs["inputs_embeds"].clone()
        embeds[0, zeros] = 0.0
        changed = {**kwargs, "inputs_embeds": embeds}
        if kwargs.get("deepstack_visual_embeds") is not None:
            image = [place for place, token in enumerate(inputs["input_ids"][0].tolist()) if token == zoo.IMAGE]
            gone = [image.index(place) for place in zeros]
            changed["deepstack_visual_embeds"] = [features.clone() for features in kwargs["deepstack_visual_embeds"]]
            for features in changed["deepstack_visual_embeds"]:
                features[gone] = 0.0
        return args, changed

    hook = decoder.register_forward_pre_hook(before, with_kwargs=True)
    try:
        return forced(model, inputs, tokens, method)
    finally:
        hook.remove()


@pytest.mark.parametrize("family", [family for family in FAMILIES if family.values[0] not in TEXT_ONLY])
def test_it_equals_its_formula(family):
    method = strong("avisc")
    model, inputs = shared(family, batch=2)
    ours, tokens, run = in_batch("avisc", family)
    shares, texts = [], forced(model, inputs, tokens)
    for row in range(2):
        alone = one_row(inputs, row)
        blind, image = blind_by_hand(method, family, alone)
        shares.append(len(blind) / len(image))
        text = texts[:, row].double()
        other = with_zeros(model, alone, tokens[row : row + 1], [place for place in image if place not in blind])[:, 0].double()
        expected = (1 + method.alpha) * text - method.alpha * other
        edge = text.amax(1, keepdim=True) + math.log(method.beta)
        near = (text - edge).abs() < 1e-3
        expected = expected.masked_fill(text < edge, -math.inf)
        assert_close(ours[:, row][~near].double(), expected[~near], of=[float(text.abs().max()) * 4])
    assert run.report()["blind"] == pytest.approx(sum(shares) / 2)
    assert 0 < run.report()["blind"] < 1


def test_blind_tokens_of_layers_that_look_at_the_image():
    image = torch.tensor([[False, True, True, True]])
    attention = torch.tensor([[[0.1, 0.6, 0.2, 0.1]], [[0.95, 0.0, 0.0, 0.05]], [[0.7, 0.0, 0.3, 0.0]]])
    # masses 0.9, 0.05, 0.3: shares 0.72, 0.04, 0.24
    assert blind_tokens(attention, image, 0.5, 1.0).tolist() == [[False, True, False, False]]
    assert blind_tokens(attention, image, 0.9, 0.5).tolist() == [[False, True, False, False]]
    assert blind_tokens(attention, image, 0.9, 0.0).tolist() == [[False, True, True, False]]
    assert blind_tokens(attention, image, 0.0, 1.0).tolist() == [[False, True, False, False]]
    assert blind_tokens(attention, image & torch.tensor([[0, 0, 0, 1]]).bool(), 0.5, 1.0).tolist() == [[False, False, False, True]]


def test_a_static_cache_gives_the_same():
    model, inputs = zoo.build("llava", batch=2)
    ours, _, _ = said(model, inputs, AVISC())
    assert_close(said(model, inputs, AVISC(), cache_implementation="static", disable_compile=True)[0], ours)


def test_kvsmooth_smooths_text_and_branch():
    method, smoothing = AVISC(alpha=1.0, beta=0.0, deviations=0.3), KVSmooth(lambda_ref=0.6, layers=ALL)
    model, inputs = zoo.build("llava")
    with smoothing(model):
        ours, tokens, _ = said(model, inputs, method)
    blind, image = blind_by_hand(method, "llava", inputs)
    text = forced(model, inputs, tokens, smoothing)
    other = with_zeros(model, inputs, tokens, [place for place in image if place not in blind], smoothing)
    assert_close(ours, 2 * text - other, of=[float(text.abs().max()) * 4])
    with method(model), pytest.raises(Unsupported, match="cannot be nested in another method"), smoothing(model):
        pass
