"""Methods, rows and comparisons that several tests of decoding share."""

import dataclasses
import functools

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
TOKENS = 6
"""Of a generation: the queue of `MOVING` drops a score."""
RICH = KVSmooth(**MOVING, previous="raw", rope="before", heads="per_head", timing="recompute", score=RowEntropy("without_bos"))
TEXT_KEYS = KVSmooth(**MOVING, score=RowEntropy("text", normalise=True))


@functools.cache
def shared(name, attn="sdpa", batch=1):
    """A model of the zoo and its inputs, one copy for all tests that leave them as they found them."""
    return zoo.build(name, attn=attn, batch=batch)


class Forced:
    """Makes `generate` write given tokens "row step", and keeps the logits that it was given.

    A class, as `generate` reads the signature of a function at every step, which takes longer than a small model's pass.
    """

    def __init__(self, tokens):
        self.tokens, self.seen = tokens, []

    def __call__(self, input_ids, logits):
        token = self.tokens[:, len(self.seen), None]
        self.seen.append(logits)
        return torch.full_like(logits, -torch.inf).scatter(1, token, 0.0)


def applied(policy, steps, setting=None, tokens=None, scores=None):
    """Rates of a run of so many steps, "step layer row"."""
    setting = setting or PolicySetting((3, 4))
    rates = policy.start(setting)
    scores = torch.zeros(steps, *setting.shape) if scores is None else scores
    return torch.stack([rates.push(scores[step], None if tokens is None else tokens[step]) for step in range(steps)])


def changed(whole, **change):
    """Unpacked by hand, since here annotations are checked before any line of the constructor runs."""
    other = object.__new__(type(whole))
    vars(other).update({field.name: getattr(whole, field.name) for field in dataclasses.fields(whole)} | change)
    other.__post_init__()
    return other


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
    model, inputs = shared(name, attn, 2)
    alone = one_row(inputs, row)
    with method(model) as run:
        out = model.generate(**alone, max_new_tokens=TOKENS, return_dict_in_generate=True, output_logits=True)
    return torch.stack(out.logits), run


def beams_by_hand(name, method, beams, tokens, end=None, first=None):
    """Beam search in plain Python, on every hypothesis decoded from its prompt: nothing is reordered, everything replayed.

    `first`, if known, are the logits "row token" behind the prompts, before which no beams are.

    The hypotheses of a length are rows of one batch; that rows do not hang on one another is tested by itself. The `end` token is not said.
    """
    model, inputs = shared(name, batch=2)
    whole = {key: torch.cat([value] * beams) for key, value in inputs.items()}
    kept = [[((), 0.0)] for _ in range(2)]
    for length in range(tokens):
        # row 0, row 1, row 0, row 1 ...; before the first token each row has one hypothesis, and the others are copies that are not read
        prefixes = [kept[row][min(place, len(kept[row]) - 1)][0] for place in range(beams) for row in range(2)]
        if length == 0 and first is not None:
            told = first.log_softmax(-1).repeat(beams, 1).tolist()
        else:
            told = next_log_probabilities(model, whole, torch.tensor(prefixes, dtype=torch.long).view(2 * beams, length), method, end)
        for row in range(2):
            grown = [
                ((*prefix, token), score + gain)
                for place, (prefix, score) in enumerate(kept[row])
                for token, gain in enumerate(told[2 * place + row])
                if token != end
            ]
            kept[row] = sorted(grown, key=lambda one: -one[1])[:beams]
    return torch.tensor([best[0][0] for best in kept])


def next_log_probabilities(model, inputs, prefixes, method, end):
    """Of each row's next token, after a prefix "row token" that `generate` is made to say, so that it deals with the positions itself."""
    forced = Forced(torch.nn.functional.pad(prefixes, (0, 1)))
    with method(model), torch.no_grad():
        model.generate(**inputs, max_new_tokens=prefixes.shape[1] + 1, logits_processor=[forced], eos_token_id=end)
    return forced.seen[-1].log_softmax(-1).tolist()


def assert_beams_equal_beams_by_hand(name, method, cache, beams, tokens=6):
    model, inputs = shared(name, batch=2)
    with method(model) as run:
        out = model.generate(**inputs, max_new_tokens=tokens, num_beams=beams, length_penalty=0.0, cache_implementation=cache)
    assert torch.equal(out[:, -tokens:], beams_by_hand(name, method, beams, tokens))
    assert run.rates.shape == (tokens - 1, 3, 2 * beams)
