"""SID equals its formula: a branch whose layers are given masks by hand, from the weights that eager attention hands out."""

import math

import pytest
import torch

from kvsmooth import KVSmooth, Unsupported
from kvsmooth.baselines import SID
from tests import zoo
from tests.kvsmooth.baselines.cases import ALL, TEXT_ONLY, forced, in_batch, one_row, said, shared, strong
from tests.kvsmooth.cases import FAMILIES
from tests.rounding import assert_close


def branch(method, family, inputs, tokens, smoothing=None):
    """Logits "step token" of one row that sees, in layers from `layer` on, the image tokens its layer before looks at least."""
    model, _ = shared(family, "eager", 2)
    image = [place for place, token in enumerate(inputs["input_ids"][0].tolist()) if token == zoo.IMAGE]
    layers, hidden, fed = zoo.decoder_of(model).layers, [], [0]

    def measured(module, args, output):
        row = output[1][0, :, -1].mean(0).tolist()
        fed[0] += output[0].shape[1]
        gone = fed[0] - len(row)
        seen = [row[place - gone] if place >= gone else 0.0 for place in image]
        order = sorted(range(len(image)), key=lambda number: (seen[number], number))
        hidden[:] = [image[number] for number in order[method.rank :]]

    def masked(module, args, kwargs):
        mask = kwargs["attention_mask"].clone()
        gone = fed[0] - mask.shape[3]
        for query in range(mask.shape[2]):
            row = mask[0, 0, query].clone()
            row[[place - gone for place in hidden if place >= gone]] = torch.finfo(row.dtype).min
            if row.max() == 0:
                mask[0, 0, query] = row
        return args, {**kwargs, "attention_mask": mask}

    hooks = [layers[method.layer - 1].self_attn.register_forward_hook(measured)]
    hooks += [layer.register_forward_pre_hook(masked, with_kwargs=True) for layer in layers[method.layer :]]
    try:
        return forced(model, inputs, tokens, smoothing)[:, 0]
    finally:
        for hook in hooks:
            hook.remove()


@pytest.mark.parametrize("family", [family for family in FAMILIES if family.values[0] not in TEXT_ONLY])
def test_it_equals_its_formula(family):
    method = strong("sid")
    model, inputs = shared(family, batch=2)
    ours, tokens, run = in_batch("sid", family)
    texts = forced(model, inputs, tokens)
    for row in range(2):
        alone, text = one_row(inputs, row), texts[:, row].double()
        other = branch(method, family, alone, tokens[row : row + 1]).double()
        expected = (1 + method.alpha) * text - method.alpha * other
        edge = text.amax(1, keepdim=True) + math.log(method.beta)
        near = (text - edge).abs() < 1e-3
        expected = expected.masked_fill(text < edge, -math.inf)
        assert_close(ours[:, row][~near].double(), expected[~near], of=[float(text.abs().max()) * 4])
    tokens_of_image = inputs["input_ids"].eq(zoo.IMAGE).sum(1)
    assert run.report()["hidden"] == pytest.approx(float((1 - method.rank / tokens_of_image).mean()))


def test_kvsmooth_smooths_text_and_branch():
    method, smoothing = SID(beta=0.0, rank=1, layer=1), KVSmooth(lambda_ref=0.6, layers=ALL)
    model, inputs = zoo.build("llava")
    with smoothing(model):
        ours, tokens, _ = said(model, inputs, method)
    text, other = forced(model, inputs, tokens, smoothing)[:, 0], branch(method, "llava", inputs, tokens, smoothing)
    assert_close(ours[:, 0], 2 * text - other, of=[float(text.abs().max()) * 4])
    with method(model), pytest.raises(Unsupported, match="cannot be nested in another method"), smoothing(model):
        pass


def test_a_static_cache_gives_the_same():
    model, inputs = shared("llava", batch=2)
    ours, _, _ = in_batch("sid", "llava")
    assert_close(said(model, inputs, strong("sid"), cache_implementation="static", disable_compile=True)[0], ours)


def test_the_default_keeps_the_share_of_the_code():
    model, inputs = zoo.build("llava")
    _, _, run = said(model, inputs, SID())
    assert run.report()["hidden"] == 0.75  # one of four tokens stays: 100 of 576 are less


def test_a_branch_that_sees_the_whole_image_is_refused():
    model, inputs = zoo.build("llava")
    with SID(rank=4)(model), pytest.raises(Unsupported, match="keeps all of an image of 4 tokens") as refused:
        model.generate(**inputs, max_new_tokens=3)
    assert "\n" not in str(refused.value)


def test_the_layer_must_exist():
    model, _ = zoo.build("llava")
    with pytest.raises(Unsupported, match=r"SID\.layer must lie below 3"), SID(layer=3)(model):
        pass
