"""SPARC equals a slow attention that keeps, for every image token, how often it was selected."""

from collections import defaultdict

import pytest
import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

from kvsmooth.baselines import SPARC
from tests import zoo
from tests.kvsmooth.baselines.cases import TEXT_ONLY, forced, in_batch, said, shared, strong
from tests.kvsmooth.cases import FAMILIES
from tests.rounding import assert_close

NAME = "slow_sparc"


class Slow:
    """Nothing is written into the cache: values are multiplied by alpha to the number of selections, at every step anew."""

    def __init__(self, method, inputs):
        self.method, self.ids = method, inputs["input_ids"].tolist()
        self.fed, self.average = 0, {}
        self.times, self.next = defaultdict(int), []

    def attend(self, module, query, key, value, mask, scaling=None, **kwargs):
        _, heads, queries, _ = query.shape
        keys, group = key.shape[2], heads // key.shape[1]
        if module.layer_idx == 0:
            self.fed += queries
            for place in self.next:
                self.times[place] += 1
            self.next = []
        gone, value = self.fed - keys, value.double().clone()
        for (row, place), times in self.times.items():
            if place >= gone:
                value[row, :, place - gone] *= self.method.alpha**times
        scores = (query.double() @ key.double().repeat_interleave(group, 1).transpose(-1, -2)) * scaling
        if mask is None:
            scores = scores.masked_fill(torch.ones(queries, keys, dtype=torch.bool).triu(keys - queries + 1), -torch.inf)
        else:
            scores = scores + mask[..., :keys].double()
        weights = scores.softmax(-1)
        if module.layer_idx == self.method.layer:
            self.select(weights, gone, first=self.fed == len(self.ids[0]))
        output = (weights @ value.repeat_interleave(group, 1)).transpose(1, 2)
        return output.to(query.dtype), weights.to(query.dtype)

    def select(self, weights, gone, first):
        for row, tokens in enumerate(self.ids):
            for place, token in enumerate(tokens):
                if token != zoo.IMAGE:
                    continue
                seen = float(weights[row, :, -1, place - gone].mean()) if place >= gone else 0.0
                before = self.average.get((row, place))
                if not first:
                    if (seen - before) / max(before, 1e-38) >= self.method.tau:
                        self.next.append((row, place))
                    seen = (1 - self.method.beta) * seen + self.method.beta * before
                self.average[row, place] = seen


@pytest.mark.parametrize("family", [family for family in FAMILIES if family.values[0] not in TEXT_ONLY])
def test_it_equals_its_slow_reference(family):
    equals_its_slow_reference(strong("sparc"), family, *in_batch("sparc", family))


def test_it_equals_its_slow_reference_where_the_whole_prompt_has_left_the_window():
    method = SPARC(alpha=3.0, tau=-0.2, beta=0.3, layer=2)
    equals_its_slow_reference(method, "gemma3", *said(*shared("gemma3", batch=2), method, tokens=13))


def equals_its_slow_reference(method, family, ours, tokens, run):
    slow, inputs = zoo.build(family, attn="eager", batch=2)
    AttentionInterface.register(NAME, Slow(method, inputs).attend)
    AttentionMaskInterface.register(NAME, ALL_MASK_ATTENTION_FUNCTIONS["eager"])
    zoo.decoder_of(slow).set_attn_implementation(NAME)
    assert_close(ours, forced(slow, inputs, tokens))
    assert 0 < run.report()["selected"] < 1


def test_a_static_cache_gives_the_same():
    model, inputs = shared("llava", batch=2)
    ours, _, _ = in_batch("sparc", "llava")
    assert_close(said(model, inputs, strong("sparc"), cache_implementation="static", disable_compile=True)[0], ours)


def test_what_never_grows_is_never_touched():
    model, inputs = zoo.build("llava", batch=2)
    ours, _, run = said(model, inputs, SPARC(tau=1e9))
    assert torch.equal(ours, said(model, inputs)[0])
    assert run.report()["selected"] == 0
