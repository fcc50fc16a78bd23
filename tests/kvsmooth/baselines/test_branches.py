"""Methods with a second branch equal their formulas on what `generate` itself says to both prompts."""

import math

import pytest
import torch

from kvsmooth import KVSmooth, Unsupported
from kvsmooth.baselines import ICD, M3ID, PAI, VCD, EosBias
from kvsmooth.baselines.vcd import diffused
from tests import zoo
from tests.kvsmooth.baselines.cases import ALL, STRONG, TEXT_ONLY, few_tokens, forced, in_batch, one_row, said, shared, strong
from tests.kvsmooth.cases import FAMILIES
from tests.rounding import assert_close

WITH_IMAGE = [family for family in FAMILIES if family.values[0] not in TEXT_ONLY]


def noised(inputs, options):
    """Pixels after diffusion, by a loop over steps; one stream of numbers for each image."""
    share = 1.0
    for step in range(options.noise_step + 1):
        share *= 1 - ((5e-3 - 1e-5) / (1 + math.exp(6 - 12 * step / 999)) + 1e-5)
    pixels = inputs["pixel_values"].clone()
    pieces = 16 if "image_grid_thw" in inputs else 1
    for first in range(0, len(pixels), pieces):
        draw = torch.randn(pixels[first : first + pieces].shape, generator=torch.Generator().manual_seed(options.seed))
        pixels[first : first + pieces] = math.sqrt(share) * pixels[first : first + pieces] + math.sqrt(1 - share) * draw
    return {**inputs, "pixel_values": pixels}


def without_image(inputs):
    """The prompt of one row as text alone."""
    text = inputs["input_ids"][0].ne(zoo.IMAGE)
    kept = {
        name: inputs[name][:, text] for name in ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids") if name in inputs
    }
    return kept


def with_instruction(inputs, tokens):
    """The prompt of one row with these tokens behind the image, and behind the token that opens the text."""
    ids = inputs["input_ids"][0].tolist()
    place = max(number for number, token in enumerate(ids) if token == zoo.IMAGE) + 1
    place += ids[place] == zoo.BOS
    more = {"input_ids": list(tokens), "attention_mask": [1] * len(tokens)}
    changed = dict(inputs)
    for name in ("input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids"):
        if name in inputs:
            values = inputs[name][0].tolist()
            values[place:place] = more.get(name, [0] * len(tokens))
            changed[name] = torch.tensor([values], dtype=inputs[name].dtype)
    return changed


def speaker(model, text):
    """Whoever generates from these inputs: a Q-Former's model cannot do without pixels."""
    return model.language_model if "pixel_values" not in text and hasattr(model, "qformer") else model


def others(name, model, inputs, tokens):
    """Logits of the branch of one row."""
    method = strong(name)
    if name == "vcd":
        changed = noised(inputs, method)
    elif name == "icd":
        changed = with_instruction(inputs, method.instruction)
    else:
        changed = without_image(inputs)
    return forced(speaker(model, changed), changed, tokens)


def formula(name, logits, other, step):
    """One row's next logits, token by token."""
    method = strong(name)
    seen, unseen = (values - values.exp().sum().log() for values in (logits, other))
    out = []
    for token in range(len(logits)):
        if name == "m3id":
            gamma = math.exp(-method.decay * (step + 1))
            value = seen[token] + (1 - gamma) / gamma * (seen[token] - unseen[token])
        elif name == "guided":
            value = method.guidance * (seen[token] - unseen[token]) + unseen[token]
        else:
            value = (1 + method.alpha) * logits[token] - method.alpha * other[token]
        beta = method.threshold if name == "guided" else method.beta
        out.append(float(value) if logits[token] >= logits.max() + math.log(beta) else -math.inf)
    return torch.tensor(out)


@pytest.mark.parametrize("name", ["vcd", "m3id", "icd"])
@pytest.mark.parametrize("family", WITH_IMAGE)
def test_a_method_equals_its_formula_on_what_generate_says_to_both_prompts(family, name):
    model, inputs = shared(family, batch=2)
    ours, tokens, _ = in_batch(name, family)
    text = forced(model, inputs, tokens)
    for row in range(2):
        other = others(name, model, one_row(inputs, row), tokens[row : row + 1])
        for step in range(len(text)):
            expected = formula(name, text[step, row].double(), other[step, 0].double(), step)
            # far from the edge of plausibility, on which rounding decides
            edge = (text[step, row] - text[step, row].max() - math.log(strong(name).beta)).abs() < 1e-3
            assert_close(ours[step, row][~edge].double(), expected[~edge], of=[float(text.abs().max()) * 40])


@pytest.mark.parametrize("family", WITH_IMAGE)
def test_pai_with_guidance(family):
    model, inputs = shared(family)
    boosted, method = PAI(alpha=0.5, layers=ALL), PAI(alpha=0.5, layers=ALL, guidance=1.5)
    ours, tokens, run = said(model, inputs, method, tokens=few_tokens(family))
    text = forced(model, inputs, tokens, boosted)
    blind = without_image(inputs)
    other = forced(speaker(model, blind), blind, tokens)
    seen, unseen = text.log_softmax(-1), other.log_softmax(-1)
    expected = (1.5 * (seen - unseen) + unseen).masked_fill(seen < seen.amax(-1, keepdim=True) + math.log(0.1), -math.inf)
    edge = (seen - seen.amax(-1, keepdim=True) - math.log(0.1)).abs() < 1e-3
    assert_close(ours[~edge], expected[~edge], of=[float(text.abs().max()) * 4])
    assert run.report()["steps"] == few_tokens(family) - 1


def test_noise_is_that_of_a_loop():
    pixels = torch.randn(2, 3, 4, 4)
    expected = noised({"pixel_values": pixels}, VCD(noise_step=500, seed=3))["pixel_values"]
    assert_close(diffused(pixels, [1, 1], 500, 3), expected)


def test_the_gate_of_the_paper_leaves_sure_steps_alone():
    model, inputs = zoo.build("llava")
    plain, tokens, _ = said(model, inputs)
    for threshold, alike in ((0.0, True), (1.0, False)):
        gated = forced(model, inputs, tokens, M3ID(decay=0.3, gate="paper", threshold=threshold))
        assert torch.allclose(gated, plain.log_softmax(-1), atol=1e-5) == alike


def test_a_branch_within_a_loop_of_ones_own():
    model, inputs = zoo.build("llava", batch=2)
    ours, tokens, _ = said(model, inputs, strong("vcd"))
    mask, logits = inputs["attention_mask"], []
    positions = (mask.cumsum(1) - 1).clamp_min(0)
    with strong("vcd")(model), torch.no_grad():
        out = model(**inputs, position_ids=positions, use_cache=True)
        for step in range(len(ours)):
            logits.append(out.logits[:, -1])
            mask, positions = torch.cat((mask, mask.new_ones(2, 1)), 1), positions[:, -1:] + 1
            out = model(
                input_ids=tokens[:, step : step + 1], attention_mask=mask, position_ids=positions, past_key_values=out.past_key_values
            )
    assert_close(torch.stack(logits), ours)


def test_methods_of_logits_follow_one_another():
    """EosBias, opened later, sees what VCD has made, and leaves VCD's branch alone."""
    model, inputs = zoo.build("llava", batch=2)
    ours, tokens, _ = said(model, inputs, VCD(**STRONG["vcd"]))
    with VCD(**STRONG["vcd"])(model):
        both = forced(model, inputs, tokens, EosBias(2.0))
    assert_close(both, ours.index_add(2, torch.tensor([zoo.EOS]), torch.full((len(ours), 2, 1), 2.0)))


def test_two_branches_are_two_formulas():
    model, inputs = zoo.build("llava")
    first, second = VCD(alpha=0.5, beta=0.0), M3ID(decay=0.1, gate="none")
    _, tokens, _ = said(model, inputs)
    once = forced(model, inputs, tokens, first)
    with first(model):
        both = forced(model, inputs, tokens, second)
    blind = forced(model, without_image(inputs), tokens)
    for step in range(len(once)):
        seen, unseen = once[step].log_softmax(-1), blind[step].log_softmax(-1)
        assert_close(both[step], seen + math.expm1(0.1 * (step + 1)) * (seen - unseen), of=[200.0])


@pytest.mark.parametrize("first", ["kvsmooth", "vcd"])
def test_kvsmooth_smooths_text_and_branch(first):
    """As by hand: each branch smoothed as a text of its own."""
    model, inputs = zoo.build("llava", batch=2)
    smoothing, method = KVSmooth(lambda_ref=0.6, layers=ALL), strong("vcd")
    opened = (smoothing, method) if first == "kvsmooth" else (method, smoothing)
    with opened[0](model) as outer, opened[1](model) as inner:
        out = model.generate(**inputs, max_new_tokens=6, min_new_tokens=6, eos_token_id=zoo.EOS, num_beams=2, length_penalty=0.0)
        run = outer if first == "kvsmooth" else inner
    assert len(run.branches) == 1
    with method(model), smoothing(model):
        greedy, tokens, _ = said(model, inputs)
    text = forced(model, inputs, tokens, smoothing)
    branch = forced(model, noised(inputs, method), tokens, smoothing)
    expected = 2 * text - branch
    kept = greedy.isfinite()
    assert_close(greedy[kept], expected[kept], of=[float(text.abs().max()) * 4])
    with smoothing(model), method(model):
        same = model.generate(**inputs, max_new_tokens=6, min_new_tokens=6, eos_token_id=zoo.EOS, num_beams=2, length_penalty=0.0)
    assert torch.equal(out, same)


@pytest.mark.parametrize(
    ("name", "options", "told"),
    [
        ("vcd", {"prefill_chunk_size": 4}, "leave prefill_chunk_size out"),
        ("icd", {"prefill_chunk_size": 4}, "leave prefill_chunk_size out"),
    ],
)
def test_prompts_in_chunks_are_refused_where_the_branch_has_an_image(name, options, told):
    model, inputs = zoo.build("llava")
    with strong(name)(model), pytest.raises(Unsupported, match=told):
        model.generate(**inputs, max_new_tokens=3, **options)


def test_an_instruction_must_be_given():
    model, _ = zoo.build("llava")
    with pytest.raises(Unsupported, match=r"icd\.instruction must hold the token ids"), ICD()(model):
        pass


def test_a_prompt_that_was_not_seen_is_refused():
    model, inputs = zoo.build("llava")
    cache = model(**inputs, use_cache=True).past_key_values
    with strong("m3id")(model), pytest.raises(Unsupported, match="the cache held tokens before"), torch.no_grad():
        model(input_ids=torch.tensor([[5]]), past_key_values=cache)
