"""FarSight equals a softmax with its registers in it as columns, one query at a time."""

import math

import pytest
import torch

from kvsmooth import KVSmooth, Unsupported
from kvsmooth.baselines import FarSight, ImageBias
from tests import zoo
from tests.kvsmooth.baselines.cases import ALL, forced, in_batch, in_turn, said, shared, strong
from tests.kvsmooth.baselines.slow_loop import SlowLoop
from tests.kvsmooth.cases import FAMILIES
from tests.rounding import assert_close


class Slow(SlowLoop):
    """Registers are further columns."""

    def weigh(self, layer, query, key, scores, mask):
        rows, heads, queries, _ = scores.shape
        weights, method = torch.zeros_like(scores), self.method
        visible = (mask > -1e30).expand(rows, -1, -1, -1)[:, 0].tolist()
        for row in range(rows):
            last = sum(self.real[row]) - 1
            for number in range(queries):
                place = sum(self.is_real(row, before) for before in range(self.fed - queries + number))
                fallen = min(place / last, 1)
                seen = [column for column, sees in enumerate(visible[row][number]) if sees]
                for head in range(heads):
                    decay = method.sigma * (1 - method.fading * fallen) + 2 ** (-8 * (head + 1) / heads)
                    own = [math.exp(float(scores[row, head, number, column])) for column in seen]
                    taken = method.strength * sum(math.exp(-decay * distance) for distance in range(1, method.registers + 1))
                    for column, value in zip(seen, own, strict=True):
                        weights[row, head, number, column] = value / (sum(own) + taken)
        return weights


@pytest.mark.parametrize(("family", "attn"), in_turn(FAMILIES))
def test_it_equals_its_slow_reference(family, attn):
    ours, tokens, run = in_batch("farsight", family, attn)
    slow, inputs = shared(family, "eager", 2)
    with Slow(strong("farsight"), inputs).on(slow):
        assert_close(ours[:4], forced(slow, inputs, tokens[:, :4]))
    assert 0 < run.report()["registers_share"] < 1


def test_a_prompt_is_what_the_patch_makes_of_it():
    """But for its last tokens: the authors' registers are the places of later tokens, which are many for all the others."""
    method, length = FarSight(), 40
    place = torch.arange(length) / (length - 1)
    patch = torch.zeros(4, length)
    for head in range(4):
        for query in range(length):
            for later in range(query + 1, length):
                basic = -method.sigma * (later - query)
                progressive = -method.sigma * (1 - 0.5 * query / (length - 1)) * (later - query)
                slope = 2.0 ** (-8.0 * (head + 1) / 4) * (later - query)
                patch[head, query] += math.exp(0.5 * basic + 0.5 * progressive - slope)
    ours = method.mass(place[None], 4)[0].exp()
    assert_close(ours[:, :20], patch[:, :20], share=1e-5)
    assert (patch[:, -1] == 0).all()
    assert (ours[:, -1] > 0.5).all()


def test_a_static_cache_gives_the_same():
    model, inputs = shared("llava", batch=2)
    ours, _, _ = in_batch("farsight", "llava")
    assert_close(said(model, inputs, strong("farsight"), cache_implementation="static", disable_compile=True)[0], ours)


def test_a_method_within_it_is_seen_by_its_softmax():
    """Opened first, it divides by the softmax of the scores that the method within it made."""
    model, inputs = zoo.build("llava", batch=2)
    with FarSight(registers=6, sigma=0.1)(model):
        ours, tokens, run = said(model, inputs, ImageBias(1.5))
    slow, inputs = zoo.build("llava", attn="eager", batch=2)

    class Biased(Slow):
        def weigh(self, layer, query, key, scores, mask):
            if self.fed > len(self.real[0]):
                scores[..., : len(self.real[0])] += 1.5 * inputs["input_ids"].eq(zoo.IMAGE)[:, None, None]
            return super().weigh(layer, query, key, scores, mask)

    with Biased(FarSight(registers=6, sigma=0.1), inputs).on(slow):
        assert_close(ours, forced(slow, inputs, tokens))
    assert run.report()["steps"] == 5


@pytest.mark.parametrize("outer", [KVSmooth(layers=ALL), ImageBias(1.0)], ids=["kvsmooth", "image_bias"])
def test_it_takes_no_other_methods_attention_as_its_base(outer):
    model, _ = zoo.build("llava")
    with outer(model), pytest.raises(Unsupported, match="farsight divides by a softmax of its own"), FarSight()(model):
        pass


@pytest.mark.parametrize("name", ["farsight", "tame"])
def test_prompts_in_chunks_are_refused(name):
    model, inputs = zoo.build("llava")
    with strong(name)(model), pytest.raises(Unsupported, match="leave prefill_chunk_size out"):
        model.generate(**inputs, max_new_tokens=3, prefill_chunk_size=4)


@pytest.mark.parametrize("name", ["farsight", "tame"])
def test_a_prompt_of_embeddings_alone_is_refused(name):
    model, inputs = zoo.build("llama")
    embeds = model.get_input_embeddings()(inputs["input_ids"])
    with strong(name)(model), pytest.raises(Unsupported, match="prompt positions are padding; pass input_ids"), torch.no_grad():
        model(inputs_embeds=embeds, attention_mask=inputs["attention_mask"], use_cache=True)


@pytest.mark.parametrize(("options", "told"), [({"sigma": 0.0}, "sigma must be above 0"), ({"fading": 1.0}, "fading below 1")])
def test_decays_of_nothing_are_refused(options, told):
    with pytest.raises(ValueError, match=told):
        FarSight(**options)
