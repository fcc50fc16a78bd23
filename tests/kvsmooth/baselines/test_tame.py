"""TAME equals its formula, with traces of whole matrices, row by row."""

import math

import pytest
import torch

from kvsmooth import KVSmooth
from kvsmooth.baselines import TAME
from kvsmooth.measures import row_entropy
from tests import zoo
from tests.kvsmooth.baselines.cases import ALL, forced, in_batch, in_turn, said, shared, strong
from tests.kvsmooth.baselines.slow_loop import SlowLoop
from tests.kvsmooth.cases import FAMILIES
from tests.rounding import assert_close


class Slow(SlowLoop):
    """Q Q' and K K' of a row's real tokens, and their traces."""

    def weigh(self, layer, query, key, scores, mask):
        queries, keys = query.shape[2], key.shape[2]
        factors = torch.ones(len(query), 1, 1, 1, dtype=torch.float64)
        for row in range(len(query)) if layer in ALL else ():
            for states, first in ((query, self.fed - queries), (key, self.fed - keys)):
                chosen = [number for number in range(states.shape[2]) if self.is_real(row, first + number)]
                matrices = [head[chosen] @ head[chosen].T for head in states[row]]
                trace = sum(float(matrix.diagonal().sum()) for matrix in matrices) / len(matrices)
                factors[row] *= 1 + self.method.gamma / math.log(trace + 1e-7)
        return (scores * factors + mask).softmax(-1)


@pytest.mark.parametrize(("family", "attn"), in_turn(FAMILIES))
def test_it_equals_its_slow_reference(family, attn):
    ours, tokens, _ = in_batch("tame", family, attn)
    slow, inputs = shared(family, "eager", 2)
    with Slow(strong("tame"), inputs).on(slow):
        assert_close(ours[:4], forced(slow, inputs, tokens[:, :4]))


def test_receipts_tell_the_mean_factors():
    method, states = TAME(gamma=0.8), torch.randn(2, 3, 5, 8)
    real = torch.ones(2, 5, dtype=torch.bool)
    real[1, :2] = False
    found = method.factor(states, real)
    for row, first in ((0, 0), (1, 2)):
        trace = float(states[row, :, first:].square().sum()) / 3
        assert float(found[row]) == pytest.approx(1 + 0.8 / math.log(trace), rel=1e-5)
    model, inputs = zoo.build("llava")
    _, _, run = said(model, inputs, TAME())
    assert 1 < run.report()["key_factor"] < run.report()["query_factor"]


def test_a_static_cache_gives_the_same():
    model, inputs = shared("llava", batch=2)
    ours, _, _ = in_batch("tame", "llava")
    assert_close(said(model, inputs, strong("tame"), cache_implementation="static", disable_compile=True)[0], ours)


def test_kvsmooth_scores_the_row_that_it_made():
    model, inputs = zoo.build("llava", attn="eager", batch=2)
    expected, tokens, _ = said(model, inputs, strong("tame"))
    with strong("tame")(model):
        seen = model.generate(**inputs, max_new_tokens=2, output_attentions=True, return_dict_in_generate=True).attentions[1]
    with KVSmooth(lambda_ref=0.0, margin=0.0, layers=ALL)(model) as smoothed:
        ours, own, _ = said(model, inputs, strong("tame"))
    assert torch.equal(own, tokens)
    assert_close(ours, expected)
    assert_close(smoothed.entropies[0], torch.stack([row_entropy(weights[:, :, -1]).mean(1) for weights in seen]))
