"""What holds of every method on every family: nothing at neutral strength, rows alone, beams, an end, and no silence."""

from contextlib import ExitStack
from dataclasses import fields
from functools import cache

import pytest
import torch

from kvsmooth import Unsupported
from kvsmooth.baselines import METHODS, NothingChanged
from tests import zoo
from tests.kvsmooth.baselines.cases import (
    ALONE,
    CONTRACTED,
    NEEDS_IMAGE,
    NO_BEAMS,
    OF_ATTENTION,
    OF_LAYERS,
    TEXT_ONLY,
    forced,
    in_batch,
    in_turn,
    neutral,
    one_row,
    pairs,
    said,
    served,
    shared,
    some_pairs,
    strong,
)
from tests.kvsmooth.cases import FAMILIES, beams_by_hand
from tests.rooms import ROOT
from tests.rounding import assert_close


@cache
def plain(family, attn, tokens):
    """What a model says by itself to a batch of two, which is the same for every method: (logits, new tokens)."""
    model, inputs = shared(family, attn=attn, batch=2)
    return said(model, inputs, tokens=tokens)[:2]


def some_tokens(family):
    """Of a generation: three, a second pass upon what the first one left, and of llava, which meets every method, one more."""
    return 4 if family == "llava" else 3


@pytest.mark.parametrize("attn", ["sdpa", "eager"])
@pytest.mark.parametrize("method", CONTRACTED)
def test_neutral_options_are_the_identity(method, attn):
    model, inputs = shared("llava", attn=attn, batch=2)
    wanted = some_tokens("llava")
    expected, tokens = plain("llava", attn, wanted)
    ours, own, run = said(model, inputs, neutral(method), tokens=wanted)
    assert torch.equal(ours, expected)
    assert torch.equal(own, tokens)
    assert run.report()["steps"] == wanted - 1


def in_nests(family):
    """All methods that serve a family, each of those that stand alone with its share of the others within it."""
    outer = [name for name in served(family) if name in ALONE]
    inner = [name for name in served(family) if name not in ALONE]
    return [[name, *inner[number :: len(outer)]] for number, name in enumerate(outer)]


@pytest.mark.parametrize(("family", "attn"), in_turn([family for family in FAMILIES if family.values[0] != "llava"]))
def test_neutral_options_are_the_identity_on_every_family(family, attn):
    """Methods at neutral strength are open within one another: each would show."""
    model, inputs = shared(family, attn=attn, batch=2)
    expected, tokens = plain(family, attn, some_tokens(family))
    for nest in in_nests(family):
        with ExitStack() as stack:
            runs = [stack.enter_context(neutral(name)(model)) for name in nest]
            ours, own, _ = said(model, inputs, tokens=some_tokens(family))
        assert torch.equal(ours, expected), nest
        assert torch.equal(own, tokens), nest
        assert {run.report()["steps"] for run in runs} == {some_tokens(family) - 1}


@pytest.mark.parametrize("method", CONTRACTED)
def test_strong_options_say_something_else(method):
    """Or the other contracts would hold of a method that does nothing."""
    logits, _ = plain("llava", "sdpa", 6)
    ours, _, run = in_batch(method, "llava")
    assert not torch.allclose(ours[1:], logits[1:], atol=0.1)
    report = run.report()
    assert (report["method"], report["texts"], report["steps"]) == (method, 1, 5)


@pytest.mark.parametrize(("method", "family"), pairs())
def test_a_padded_batch_is_its_rows_alone(method, family):
    """The padded row, and of one family the other row too."""
    model, inputs = shared(family, batch=2)
    logits, tokens, _ = in_batch(method, family)
    steps = some_tokens(family)
    for row in (0, 1) if family == "llava" else (1,):
        alone = forced(model, one_row(inputs, row), tokens[row : row + 1, :steps], strong(method, family))
        assert_close(logits[:steps, row : row + 1], alone)


@pytest.mark.parametrize(("method", "family"), some_pairs())
def test_beams_are_beams_by_hand_or_are_refused(method, family):
    model, inputs = shared(family, batch=2)
    tokens = some_tokens(family)
    wanted = {"max_new_tokens": tokens, "min_new_tokens": tokens, "num_beams": 2, "length_penalty": 0.0, "eos_token_id": zoo.EOS}
    if method in NO_BEAMS:
        with strong(method)(model), pytest.raises(Unsupported, match=f"{method} does not serve beam search; ") as refused:
            model.generate(**inputs, **wanted)
        assert "\n" not in str(refused.value)
    else:
        with strong(method, family)(model):
            out = model.generate(**inputs, **wanted)
        first = in_batch(method, family)[0][0]
        assert torch.equal(out[:, -tokens:], beams_by_hand(family, strong(method, family), 2, tokens, zoo.EOS, first))


@pytest.mark.parametrize("method", CONTRACTED)
def test_sampling_draws_from_the_changed_logits(method):
    model, inputs = shared("llava", batch=2)
    torch.manual_seed(5)
    logits, tokens, _ = said(model, inputs, strong(method), tokens=4, do_sample=True, top_k=0)
    assert_close(logits, forced(model, inputs, tokens, strong(method)))
    torch.manual_seed(5)
    drawn = [torch.multinomial(step.index_fill(1, torch.tensor([zoo.EOS]), -torch.inf).softmax(-1), 1)[:, 0] for step in logits]
    assert torch.equal(torch.stack(drawn, 1), tokens)


@pytest.mark.parametrize("method", CONTRACTED)
def test_nothing_is_left_behind(method):
    """After a generation, and after one that broke."""
    model, inputs = zoo.build("llava", batch=2)
    expected, _, _ = said(model, inputs, tokens=3)  # the first one leaves hooks of transformers
    hooks = [(len(part._forward_hooks), len(part._forward_pre_hooks)) for part in model.modules()]

    def stop(ids, scores):
        raise KeyError("stop")

    for broken in (False, True):
        if broken:
            with pytest.raises(KeyError), strong(method)(model):
                model.generate(**inputs, max_new_tokens=3, eos_token_id=zoo.EOS, logits_processor=[stop])
        else:
            said(model, inputs, strong(method), tokens=3)
        assert hooks == [(len(part._forward_hooks), len(part._forward_pre_hooks)) for part in model.modules()], broken
        assert zoo.decoder_of(model).config._attn_implementation == "sdpa", broken
        assert "generate" not in vars(model), broken
        assert torch.equal(said(model, inputs, tokens=3)[0], expected), broken


@pytest.mark.parametrize("method", CONTRACTED)
def test_a_method_that_touches_nothing_raises(method):
    model, inputs = zoo.build("llava")

    def unseen():
        if method in OF_ATTENTION:
            model.set_attn_implementation("sdpa")
            model.generate(**inputs, max_new_tokens=3)
        elif method in OF_LAYERS:
            decoder = zoo.decoder_of(model)
            for layer in decoder.layers:  # another feed-forward part in the place of the one that is watched
                layer.mlp = type(layer.mlp)(decoder.config).eval()
            model.generate(**inputs, max_new_tokens=3)
        else:
            cache = model.model(**inputs, use_cache=True).past_key_values
            model.model(input_ids=torch.tensor([[5]]), past_key_values=cache)

    with pytest.raises(NothingChanged, match=f"{method} changed nothing although the model decoded"), strong(method)(model):
        unseen()


@pytest.mark.parametrize(("method", "family"), zoo.turns(sorted(NEEDS_IMAGE), TEXT_ONLY))
def test_a_prompt_without_an_image_is_refused(method, family):
    model, inputs = shared(family, batch=2)
    with pytest.raises(Unsupported, match=f"{method} (changes what is seen of|diffuses) an image") as refused, strong(method)(model):
        model.generate(**inputs, max_new_tokens=3)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("method", [*METHODS])
def test_every_default_says_where_it_is_from_and_the_page_tells_of_it(method):
    entry, page = METHODS[method], (ROOT / "docs" / "methods.md").read_text()
    assert set(entry.sources) == {option.name for option in fields(entry)}
    assert entry.__doc__.count("Parameters")
    assert f"| `{method}` |" in page
    assert f"### `{method}`\n`{entry.__name__}(" in page
