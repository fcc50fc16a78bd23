"""Methods, rows and comparisons that several tests of decoding share."""

import pytest
import torch

from kvsmooth import KVSmooth
from kvsmooth.policies import PolicySetting
from kvsmooth.sinks import RowEntropy
from tests import zoo

FAST = ("llava", "gemma3")
"""Families of the fast tier: the plain case, and sliding windows with a prefix seen from both sides."""
FAMILIES = [pytest.param(name, marks=() if name in FAST else pytest.mark.slow) for name in zoo.FAMILIES]
"""All families, the others marked slow."""
MOVING = {"lambda_ref": 0.5, "margin": 0.5, "window": 4, "layers": (0, 1, 2)}
METHOD = KVSmooth(**MOVING)
RICH = KVSmooth(**MOVING, previous="raw", rope="before", heads="per_head", timing="recompute", score=RowEntropy("without_bos"))
TEXT_KEYS = KVSmooth(**MOVING, score=RowEntropy("text", normalise=True))


def applied(policy, steps, setting=None, tokens=None, scores=None):
    """Rates of a run of so many steps, "step layer row"."""
    setting = setting or PolicySetting((3, 4))
    rates = policy.start(setting)
    scores = torch.zeros(steps, *setting.shape) if scores is None else scores
    return torch.stack([rates.push(scores[step], None if tokens is None else tokens[step]) for step in range(steps)])


def one_row(inputs, row):
    """The inputs of a row of a batch of two by itself, its padding removed."""
    real = inputs["attention_mask"][row].bool()
    tokens = len(real)
    alone = {}
    for key, value in inputs.items():
        if key == "qformer_input_ids" or key == "qformer_attention_mask":
            alone[key] = value[row : row + 1]
        elif value.dim() == 2 and value.shape == (2, tokens):
            alone[key] = value[row : row + 1, real]
        else:
            alone[key] = value.chunk(2)[row]
    return alone


def single(name, row, method, attn="sdpa"):
    """Generation of one row of a batch of two by itself."""
    model, inputs = zoo.build(name, attn=attn, batch=2)
    alone = one_row(inputs, row)
    with method(model) as run:
        out = model.generate(**alone, max_new_tokens=8, return_dict_in_generate=True, output_logits=True)
    return torch.stack(out.logits), run


def beams_by_hand(name, method, beams, tokens, batch):
    """Beam search in plain Python, on smoothing of every hypothesis from scratch: nothing is reordered, everything replayed."""
    model, inputs = zoo.build(name, batch=batch)
    best = []
    for row in range(batch):
        hypotheses = [((), 0.0)]
        for _ in range(tokens):
            grown = []
            for prefix, score in hypotheses:
                for token, gain in enumerate(next_log_probabilities(model, inputs, row, prefix, method)):
                    grown.append(((*prefix, token), score + gain))
            hypotheses = sorted(grown, key=lambda grown_one: -grown_one[1])[:beams]
        best.append(list(hypotheses[0][0]))
    return torch.tensor(best)


def next_log_probabilities(model, inputs, row, prefix, method):
    with method(model), torch.no_grad():
        # tokens are forced one by one, so that generate itself deals with the positions of every family
        forced = iter(prefix)
        scores = []

        def force(input_ids, logits):
            scores.append(logits)
            token = next(forced, 0)
            return torch.full_like(logits, -torch.inf).index_fill(1, torch.tensor([token]), 0.0)

        model.generate(**one_row(inputs, row), max_new_tokens=len(prefix) + 1, logits_processor=[force])
    return scores[-1][0].log_softmax(-1).tolist()


def assert_beams_equal_beams_by_hand(name, method, cache, beams):
    model, inputs = zoo.build(name, batch=2)
    with method(model) as run:
        out = model.generate(**inputs, max_new_tokens=4, num_beams=beams, length_penalty=0.0, cache_implementation=cache)
    assert torch.equal(out[:, -4:], beams_by_hand(name, method, beams, 4, 2))
    assert run.rates.shape == (3, 3, 2 * beams)
