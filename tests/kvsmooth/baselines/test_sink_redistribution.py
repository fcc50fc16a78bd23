"""VisAttnSink equals a slow attention that moves weights query by query, and finds the sinks that it should."""

import pytest
import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

from kvsmooth import KVSmooth, Unsupported
from kvsmooth.baselines import SinkRedistribution
from tests import zoo
from tests.kvsmooth.baselines.cases import ALL, TEXT_ONLY, forced, in_batch, strong
from tests.kvsmooth.cases import FAMILIES
from tests.rounding import assert_close

NAME = "slow_redistribution"


class Slow:
    """Sinks from the inputs of the layers, weights moved in plain Python."""

    def __init__(self, method, inputs, decoder):
        self.method, self.ids, self.mask = method, inputs["input_ids"].tolist(), inputs["attention_mask"].tolist()
        self.fed, self.sinks = 0, {}
        for layer in method.layers:
            decoder.layers[layer].register_forward_pre_hook(self.watch(layer), with_kwargs=True)

    def watch(self, layer):
        def before(module, args, kwargs):
            hidden = args[0] if args else kwargs["hidden_states"]
            whole = hidden.double().tolist() if hidden.shape[1] > 1 else []  # sinks are looked for in the prompt
            for row, states in enumerate(whole):
                for place, state in enumerate(states):
                    size = (sum(x * x for x in state) / len(state)) ** 0.5
                    largest = max(abs(state[channel]) for channel in self.method.channels)
                    if self.mask[row][place] and largest > self.method.tau * size:
                        self.sinks.setdefault((layer, row), set()).add(place)

        return before

    def attend(self, module, query, key, value, mask, scaling=None, **kwargs):
        rows, heads, queries, _ = query.shape
        keys, group = key.shape[2], heads // key.shape[1]
        if module.layer_idx == 0:
            self.fed += queries
        scores = (query.double() @ key.double().repeat_interleave(group, 1).transpose(-1, -2)) * scaling
        if mask is None:
            scores = scores.masked_fill(torch.ones(queries, keys, dtype=torch.bool).triu(keys - queries + 1), -torch.inf)
        else:
            scores = scores + mask[..., :keys].double()
        weights = scores.softmax(-1)
        gone = self.fed - keys
        for row in range(rows) if module.layer_idx in self.method.layers else ():
            image = [place for place, token in enumerate(self.ids[row]) if token == zoo.IMAGE]
            sinks = self.sinks.get((module.layer_idx, row), set())
            for number in range(queries):
                if self.fed - queries + number > image[-1]:
                    for head in range(heads):
                        self.move(
                            weights[row, head, number], [p - gone for p in image if p >= gone], {p - gone for p in sinks if p >= gone}
                        )
        output = (weights @ value.double().repeat_interleave(group, 1)).transpose(1, 2)
        return output.to(query.dtype), weights.to(query.dtype)

    def move(self, weights, image, sinks):
        before = weights.tolist()
        mass, rest = sum(before[place] for place in image), sum(before[place] for place in image if place not in sinks)
        if mass >= self.method.visual and (mass - rest) <= self.method.rho * mass and rest > 0:
            freed = (1 - self.method.p) * sum(before[place] for place in sinks)
            for place in sinks:
                weights[place] = self.method.p * before[place]
            for place in image:
                if place not in sinks:
                    weights[place] = before[place] + freed * before[place] / rest


@pytest.mark.parametrize("family", [family for family in FAMILIES if family.values[0] not in TEXT_ONLY])
def test_it_equals_its_slow_reference(family):
    ours, tokens, run = in_batch("sink_redistribution", family)
    slow, inputs = zoo.build(family, attn="eager", batch=2)
    decoder = zoo.decoder_of(slow)
    AttentionInterface.register(NAME, Slow(strong("sink_redistribution"), inputs, decoder).attend)
    AttentionMaskInterface.register(NAME, ALL_MASK_ATTENTION_FUNCTIONS["eager"])
    decoder.set_attn_implementation(NAME)
    assert_close(ours, forced(slow, inputs, tokens))
    assert run.report()["heads"] > 0


def test_channels_are_found_by_each_row():
    """Planted: one channel of one token carries nearly all of its energy."""
    hidden = torch.randn(2, 9, 64)
    hidden[0, 4, 11], hidden[1, 0, 30], hidden[1, 8, 5] = 300.0, -500.0, 3.0
    seen = torch.ones(2, 9, dtype=torch.bool)
    assert SinkRedistribution(tau=6.0).sinks(hidden, seen).nonzero().tolist() == [[0, 4], [1, 0]]
    seen[1, 0] = False
    assert SinkRedistribution(tau=6.0).sinks(hidden, seen).nonzero().tolist() == [[0, 4]]


def test_it_takes_no_other_methods_attention_as_its_base():
    model, _ = zoo.build("llava")
    inner = strong("sink_redistribution")(model)
    with KVSmooth(layers=ALL)(model), pytest.raises(Unsupported, match="computes the softmax of its layers itself"), inner:
        pass


def test_prompts_in_chunks_are_refused():
    model, inputs = zoo.build("llava")
    with strong("sink_redistribution")(model), pytest.raises(Unsupported, match="leave prefill_chunk_size out"):
        model.generate(**inputs, max_new_tokens=3, prefill_chunk_size=4)
