"""Prompt dependency: two plain generations and scipy on every family, the prompt without its image, and what must hold by construction."""

import contextlib
import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.distance import jensenshannon
from transformers import LogitsProcessorList

from kvsmooth import KVSmooth, Unsupported
from kvsmooth.baselines import TAME, DoLa, EosBias, RepetitionPenalty
from kvsmooth.spans import IMAGE, token_groups
from probes.dependency import divergences, without_image
from probes.regimes import record_inputs
from probes.tracing.tokens import Forcing
from tests.rounding import ZOO, assert_close
from tests.zoo import FAMILIES, PAD, build, decoder_of

QUICK = ("llava", "qwen2_vl")
PIXELS_NEEDED = ("instructblip", "blip2_opt")
BLIND = ("llama", "qwen3", "mistral")
SEEING = [family for family in FAMILIES if family not in (*PIXELS_NEEDED, *BLIND)]
CAPTIONS = [[7, 9, 30, 22, 8], [12, 13, 41]]
RECORDERS = ("dependency", "probability", "smoothing")


def forced(model, inputs, captions):
    """Logits "step row token" of a plain generation that is made to say the captions."""
    steps = max(map(len, captions))
    out = model.generate(
        **inputs, max_new_tokens=steps, output_logits=True, return_dict_in_generate=True,
        logits_processor=LogitsProcessorList([Forcing(captions, steps, 2)]),
    )  # fmt: skip
    return torch.stack(out.logits).double()


def one_row(inputs, model, row):
    """A row's own prompt without image and padding, as a batch of one."""
    groups = token_groups(model, inputs["input_ids"], inputs["attention_mask"])[row]
    ids = [token for token, group in zip(inputs["input_ids"][row].tolist(), groups.tolist(), strict=True) if group not in (IMAGE, -1)]
    alone = {"input_ids": torch.tensor([ids]), "attention_mask": torch.ones(1, len(ids), dtype=torch.long)}
    return alone | {name: torch.zeros(1, len(ids), dtype=torch.long) for name in ("token_type_ids", "mm_token_type_ids") if name in inputs}


@pytest.mark.parametrize(
    ("family", "smoothed"),
    [(family, smoothed) for family in QUICK for smoothed in (False, True)]
    + [pytest.param(family, True, marks=pytest.mark.slow) for family in SEEING if family not in QUICK],
)
def test_recorded_divergences_equal_those_of_two_generations(family, smoothed):
    model, inputs = build(family, batch=2)
    plain, _ = build(family, batch=2)
    arm = KVSmooth(layers=range(1, 3), window=3) if smoothed else None
    trace = record_inputs(model, inputs, arm, captions=CAPTIONS, recorders=RECORDERS)

    def said(given, captions):
        if arm is None:
            return forced(plain, given, captions)
        with arm(plain):
            return forced(plain, given, captions)

    whole = said(inputs, CAPTIONS).softmax(-1)
    for row, caption in enumerate(CAPTIONS):
        alone = said(one_row(inputs, plain, row), [caption])[:, 0].softmax(-1)
        for step in range(len(caption)):
            p, q = whole[step, row].numpy(), alone[step].numpy()
            jsd = jensenshannon(p, q, base=math.e) ** 2
            hellinger = math.sqrt(sum((math.sqrt(a) - math.sqrt(b)) ** 2 for a, b in zip(p, q, strict=True)) / 2)
            assert trace.values["dependency_jsd"][step, row].item() == pytest.approx(jsd, abs=ZOO)
            assert trace.values["dependency_hellinger"][step, row].item() == pytest.approx(hellinger, abs=ZOO)
    assert trace.values["dependency_jsd"].max() > 0.01, "these models look at their images"


@pytest.mark.parametrize("method", [EosBias(3.0), RepetitionPenalty(1.5), DoLa(layers=(0, 1, 2)), TAME(gamma=2.0, layers=(0, 1, 2))])
def test_both_distributions_are_those_that_the_method_makes(method):
    model, inputs = build("llava", batch=2)
    plain, _ = build("llava", batch=2)
    for part in (model, plain):
        part.generation_config.eos_token_id = 2
    trace = record_inputs(model, inputs, method, captions=CAPTIONS, recorders=("dependency", "probability"))
    with method(plain):
        one, other = (forced(plain, given, CAPTIONS).log_softmax(-1) for given in (inputs, without_image(plain, inputs)))
    for row, caption in enumerate(CAPTIONS):
        steps = slice(len(caption))
        jsd, hellinger = divergences(one[steps, row], other[steps, row])
        assert_close(trace.values["dependency_jsd"][steps, row].double(), jsd)
        assert_close(trace.values["dependency_hellinger"][steps, row].double(), hellinger)
    assert not model._forward_hooks


@pytest.mark.slow
def test_the_second_pass_leaves_everything_else_as_it_was():
    model, inputs = build("llava", batch=2)
    arm = KVSmooth(layers=range(1, 3), window=3)
    with_it = record_inputs(model, inputs, arm, max_new_tokens=5, recorders=RECORDERS)
    without = record_inputs(model, inputs, arm, max_new_tokens=5, recorders=RECORDERS[1:])
    assert torch.equal(with_it.tokens, without.tokens)
    for name, value in without.values.items():
        assert torch.equal(value.nan_to_num(-9), with_it.values[name].nan_to_num(-9)), name
    assert not model._forward_hooks
    assert decoder_of(model).config._attn_implementation == "sdpa"
    again = record_inputs(model, inputs, arm, captions=without.tokens.tolist(), recorders=RECORDERS)
    assert_close(again.values["dependency_jsd"], with_it.values["dependency_jsd"])


def test_sampled_tokens_are_the_ones_that_are_forced():
    model, inputs = build("llava", batch=2)
    torch.manual_seed(3)
    sampled = record_inputs(model, inputs, max_new_tokens=5, recorders=RECORDERS, do_sample=True, temperature=2.0)
    again = record_inputs(model, inputs, captions=sampled.tokens.tolist(), recorders=RECORDERS)
    assert_close(again.values["dependency_hellinger"], sampled.values["dependency_hellinger"])


@pytest.mark.parametrize("family", PIXELS_NEEDED)
def test_a_model_that_cannot_do_without_pixels_says_so_in_one_line(family):
    model, inputs = build(family, batch=2)
    with pytest.raises(Unsupported, match=r"^dependency: \w+ does not run without an image \(.*pixel_values.*\); record without"):
        record_inputs(model, inputs, captions=CAPTIONS, recorders=("dependency",))


def test_an_arm_that_cannot_do_without_the_image_says_where():
    model, inputs = build("llava", batch=2)

    class Fussy:
        """An arm that runs once."""

        runs = 0

        def __call__(self, model):
            self.runs += 1
            if self.runs > 1:
                raise Unsupported("the score needs an image.")
            return contextlib.nullcontext()

    with pytest.raises(Unsupported, match=r"^dependency: without the image, the score needs an image\. Or record without"):
        record_inputs(model, inputs, Fussy(), captions=CAPTIONS, recorders=("dependency",))


def test_a_text_without_an_image_has_no_dependency():
    model, inputs = build("llama", batch=2)
    trace = record_inputs(model, inputs, captions=CAPTIONS, recorders=("dependency",))
    assert trace.values["dependency_jsd"].shape == (5, 2)
    assert trace.values["dependency_jsd"].isnan().all()


def test_the_prompt_loses_its_image_and_nothing_else():
    model, inputs = build("qwen2_vl", batch=2)
    cut = without_image(model, inputs)
    assert cut.keys() == {"input_ids", "attention_mask", "mm_token_type_ids"}
    assert cut["input_ids"].tolist() == [[1, 5, 62, 63, 11, 13, 4], [PAD, PAD, 1, 5, 62, 63, 4]]
    assert cut["attention_mask"].tolist() == [[1] * 7, [0, 0, *[1] * 5]]
    assert not cut["mm_token_type_ids"].any()
    hollow, inputs = build("instructblip", batch=2)  # image, padding, text
    assert without_image(hollow, inputs)["input_ids"].tolist() == [[1, 5, 9, 7, 11, 13, 4], [PAD, PAD, 1, 5, 9, 13, 4]]
    nothing = {"input_ids": torch.full((1, 3), 60), "attention_mask": torch.ones(1, 3, dtype=torch.long)}
    with pytest.raises(Unsupported, match="nothing but its image"):
        without_image(hollow, nothing)


# scipy gives inf where a ratio of two weights is subnormal
weights = st.lists(st.just(0.0) | st.floats(1e-12, 1), min_size=4, max_size=4).filter(lambda w: sum(w) > 0.01)


@settings(max_examples=60, deadline=None)
@given(one=weights, other=weights)
def test_divergences_are_those_of_scipy_and_keep_their_bounds(one, other):
    p, q = (np.array(w) / sum(w) for w in (one, other))
    with np.errstate(divide="ignore"):
        jsd, hellinger = divergences(torch.tensor(np.log(p)), torch.tensor(np.log(q)))
    assert jsd.item() == pytest.approx(jensenshannon(p, q, base=math.e) ** 2, abs=1e-12)
    assert hellinger.item() == pytest.approx(np.linalg.norm(np.sqrt(p) - np.sqrt(q)) / math.sqrt(2), abs=1e-12)
    assert 0 <= jsd.item() <= math.log(2)
    assert 0 <= hellinger.item() <= 1


def test_identical_distributions_have_no_divergence_and_disjoint_ones_all_of_it():
    draw = torch.randn(5, 1000, generator=torch.Generator().manual_seed(0)).log_softmax(-1)
    jsd, hellinger = divergences(draw, draw)
    assert jsd.abs().max() < 1e-15
    assert hellinger.max() == 0
    left, right = torch.tensor([0.0, -math.inf]), torch.tensor([-math.inf, 0.0])
    jsd, hellinger = divergences(left, right)
    assert jsd.item() == pytest.approx(math.log(2))
    assert hellinger.item() == 1
