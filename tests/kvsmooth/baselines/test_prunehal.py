"""PruneHal equals its rule: masks by hand for every layer and head, from the weights that eager attention hands out."""

import math
import statistics

import pytest
import torch

from kvsmooth import KVSmooth
from kvsmooth.baselines import PruneHal
from kvsmooth.baselines.prunehal import most_seen
from tests import zoo
from tests.kvsmooth.baselines.cases import ALL, TEXT_ONLY, forced, in_batch, one_row, said, shared, strong
from tests.kvsmooth.cases import FAMILIES
from tests.rounding import assert_close


def by_hand(method, family, inputs, tokens, smoothing=None):
    """Logits "step token" of one row, and the share of the image that each step sees, mean over layers and key heads."""
    model, _ = shared(family, "eager", 2)
    decoder = zoo.decoder_of(model)
    layers, config = decoder.layers, decoder.config
    heads = config.num_attention_heads
    kv = getattr(config, "num_key_value_heads", heads)
    image = [place for place, token in enumerate(inputs["input_ids"][0].tolist()) if token == zoo.IMAGE]
    staying = {(layer, head): list(image) for layer in range(len(layers)) for head in range(kv)}
    now, shares = {}, []
    past = {"fed": 0, "step": -1, "times": 0, "reference": None}

    def masked(layer):
        def before(module, args, kwargs):
            mask = kwargs["attention_mask"]
            if mask.shape[2] > 1:
                return None
            mask, gone = mask.expand(1, heads, 1, -1).clone(), past["fed"] + (layer == 0) - mask.shape[3]
            for head in range(heads):
                left = [place - gone for place in image if place not in staying[layer, head // (heads // kv)] and place >= gone]
                mask[0, head, 0, left] = torch.finfo(mask.dtype).min
            return args, {**kwargs, "attention_mask": mask}

        return before

    def measured(layer):
        def after(module, args, output):
            weights = output[1][0, :, -1].double()
            if layer == 0:
                past["fed"] += output[0].shape[1]
            gone = past["fed"] - weights.shape[1]
            for head in range(kv):
                group = weights[head * (heads // kv) : (head + 1) * (heads // kv)].mean(0)
                now[layer, head] = {place: float(group[place - gone]) if place >= gone else 0.0 for place in image}
            if layer == len(layers) - 1:
                past["step"] += 1
                if past["step"]:
                    decide()

        return after

    def decide():
        shares.append(statistics.fmean(len(places) / len(image) for places in staying.values()))
        masses = [
            statistics.fmean(sum(now[layer, head][place] for place in staying[layer, head]) for head in range(kv))
            for layer in range(len(layers))
        ]
        old = past["reference"]
        sunk = old is not None and statistics.fmean(m < math.sqrt(method.keep) * o for m, o in zip(masses, old, strict=True))
        due = past["step"] == method.forced or (old is not None and sunk >= method.layers_below)
        if due and past["times"] < method.most:
            past["times"] += 1
            past["reference"] = masses
            for (layer, head), places in staying.items():
                order = sorted(places, key=lambda place, seen=now[layer, head]: (-seen[place], place))
                staying[layer, head] = order[: math.floor(len(places) * method.keep + 1e-9)]

    hooks = [layer.register_forward_pre_hook(masked(number), with_kwargs=True) for number, layer in enumerate(layers)]
    hooks += [layer.self_attn.register_forward_hook(measured(number)) for number, layer in enumerate(layers)]
    try:
        return forced(model, inputs, tokens, smoothing)[:, 0], statistics.fmean(shares)
    finally:
        for hook in hooks:
            hook.remove()


@pytest.mark.parametrize("family", [family for family in FAMILIES if family.values[0] not in TEXT_ONLY])
def test_it_equals_its_rule(family):
    equals_its_rule(family, *in_batch("prunehal", family))


def test_it_equals_its_rule_where_the_whole_prompt_has_left_the_window():
    equals_its_rule("gemma3", *said(*shared("gemma3", batch=2), strong("prunehal"), tokens=13))


def equals_its_rule(family, ours, tokens, run):
    _, inputs = shared(family, batch=2)
    shares = []
    for row in range(2):
        expected, share = by_hand(strong("prunehal"), family, one_row(inputs, row), tokens[row : row + 1])
        assert_close(ours[:, row], expected)
        shares.append(share)
    assert run.report()["kept"] == pytest.approx(statistics.fmean(shares), abs=1e-5)
    assert run.report()["kept"] < 1


def test_it_waits_until_the_attention_has_sunk():
    model, inputs = zoo.build("llava", batch=2)
    once = said(model, inputs, PruneHal(keep=0.5, forced=2, layers_below=1.0, most=1))[2].report()
    never = said(model, inputs, PruneHal(keep=0.5, forced=0, layers_below=1.0, most=0))[2].report()
    often = said(model, inputs, PruneHal(keep=0.5, forced=1, layers_below=0.0, most=3))[2].report()
    assert once["kept"] == pytest.approx((1 + 1 + 0.5 + 0.5 + 0.5) / 5)
    assert "kept" not in never
    assert often["kept"] == pytest.approx((1 + 0.5 + 0.25 + 0 + 0) / 5)


def test_of_ten_tokens_nine_stay():
    staying = torch.ones(1, 1, 10, dtype=torch.bool)
    seen = torch.tensor([[[0.3, 0.1, 0.2, 0.4, 0.5, 0.1, 0.6, 0.7, 0.8, 0.9]]])
    nine = most_seen(seen, staying, 0.9)
    assert nine.sum() == 9
    assert not nine[0, 0, 5], "of equal ones the first stays"
    assert most_seen(seen, nine, 0.9).sum() == 8


def test_kvsmooth_smooths_a_text_that_sees_less():
    method, smoothing = strong("prunehal"), KVSmooth(lambda_ref=0.6, layers=ALL)
    model, inputs = zoo.build("llava")
    with smoothing(model):
        ours, tokens, _ = said(model, inputs, method)
    assert_close(ours[:, 0], by_hand(method, "llava", inputs, tokens, smoothing)[0])


def test_a_static_cache_and_chunks_give_the_same():
    model, inputs = shared("llava", batch=2)
    ours, _, _ = in_batch("prunehal", "llava")
    assert_close(said(model, inputs, strong("prunehal"), cache_implementation="static", disable_compile=True)[0], ours)
    assert_close(said(model, inputs, strong("prunehal"), prefill_chunk_size=4)[0], ours)
