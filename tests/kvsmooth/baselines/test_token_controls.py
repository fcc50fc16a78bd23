"""End bias, repetition penalty and skipped newlines against what transformers does itself, on every family that reads one row."""

import pytest
import torch
from transformers import LogitsProcessor, LogitsProcessorList, RepetitionPenaltyLogitsProcessor

from kvsmooth import Unsupported
from kvsmooth.baselines import EosBias, RepetitionPenalty, SkipNewline
from kvsmooth.baselines.skip_newline import newline_tokens
from tests import zoo
from tests.kvsmooth.baselines.cases import GENERATION

FAMILIES = ("llava", "qwen2_vl", "gemma3", "llama")


class Added(LogitsProcessor):
    """A number more for some tokens."""

    def __init__(self, tokens, bias):
        self.tokens, self.bias = tokens, bias

    def __call__(self, input_ids, scores):
        made = scores.clone()
        for token in self.tokens:
            made[:, token] += self.bias
        return made


def said(model, inputs, **more):
    with torch.no_grad():
        return model.generate(**{**inputs, **GENERATION, "max_new_tokens": 7, "do_sample": False, "output_scores": True, **more})


@pytest.mark.parametrize("family", FAMILIES)
def test_an_end_bias_is_a_number_on_the_end_tokens(family):
    model, inputs = zoo.build(family)
    ends = [zoo.EOS] if isinstance(zoo.EOS, int) else list(zoo.EOS)
    expected = said(model, inputs, logits_processor=LogitsProcessorList([Added(ends, 2.5)]))
    with EosBias(2.5)(model):
        found = said(model, inputs)
    assert torch.equal(found.sequences, expected.sequences)
    for one, other in zip(found.logits, expected.scores, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_repetition_penalty_is_that_of_transformers(family):
    model, inputs = zoo.build(family)
    expected = said(model, inputs, logits_processor=LogitsProcessorList([RepetitionPenaltyLogitsProcessor(1.7)]))
    with RepetitionPenalty(1.7)(model):
        found = said(model, inputs)
    assert torch.equal(found.sequences, expected.sequences)
    for one, other in zip(found.logits, expected.scores, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)
    plain = said(model, inputs)
    assert not torch.equal(plain.logits[0], found.logits[0])


@pytest.mark.parametrize("family", FAMILIES)
def test_newlines_that_are_skipped_are_tokens_that_are_suppressed(family):
    model, inputs = zoo.build(family)
    tokens = list(range(3, 30))
    expected = said(model, inputs, suppress_tokens=tokens)
    with SkipNewline(tokens)(model):
        found = said(model, inputs)
    assert torch.equal(found.sequences, expected.sequences)
    for one, other in zip(found.logits, expected.scores, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-5)


def test_a_share_of_a_newlines_probability_is_taken():
    model, inputs = zoo.build("llava")
    expected = said(model, inputs, max_new_tokens=1).logits[0].softmax(-1)
    with SkipNewline((7, 9), strength=0.75)(model):
        found = said(model, inputs, max_new_tokens=1).logits[0].softmax(-1)
    expected[:, [7, 9]] *= 0.25
    torch.testing.assert_close(found, expected / expected.sum(), rtol=1e-5, atol=1e-7)


class Words:
    """A tokenizer of five tokens."""

    texts = ("a", "\n", "b.\n\n", " c", "\n")

    def __len__(self):
        return len(self.texts)

    def decode(self, tokens):
        return "".join(self.texts[token] for token in tokens)


def test_newline_tokens_are_found_by_their_text():
    assert newline_tokens(Words()) == (1, 2, 4)


def test_newlines_that_are_no_tokens_are_refused():
    model, inputs = zoo.build("llava")
    with pytest.raises(Unsupported, match=r"skip_newline\.tokens must hold the ids"), SkipNewline()(model):
        pass
    with SkipNewline((zoo.VOCABULARY,))(model), pytest.raises(Unsupported, match=f"must lie below {zoo.VOCABULARY}"):
        said(model, inputs)
