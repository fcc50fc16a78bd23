"""End-token bias and repetition penalty against logits processors that transformers runs itself, on every family that reads one row."""

import pytest
import torch
from transformers import LogitsProcessor, LogitsProcessorList, RepetitionPenaltyLogitsProcessor

from kvsmooth.baselines import EosBias, RepetitionPenalty
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
        return model.generate(**inputs, **GENERATION, max_new_tokens=7, do_sample=False, output_scores=True, **more)


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
