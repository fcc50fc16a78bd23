"""IAT and AdaIAT equal an eager loop that changes scores, or weights, of the generated text."""

import pytest
import torch

from kvsmooth import KVSmooth, Unsupported
from kvsmooth.baselines import AdaIAT
from kvsmooth.baselines.adaiat import attention_to_text, statistics_of
from kvsmooth.measures import row_entropy
from tests import zoo
from tests.kvsmooth.baselines.cases import ALL, forced, in_batch, said, shared, statistics, strong
from tests.kvsmooth.baselines.slow_loop import SlowLoop
from tests.kvsmooth.cases import FAMILIES
from tests.rounding import assert_close


class Slow(SlowLoop):
    """Head by head, column by column; it counts the rows that AdaIAT leaves alone."""

    left = changed = 0

    def weigh(self, layer, query, key, scores, mask):
        keys, prompt = scores.shape[-1], len(self.real[0])
        written = [column for column in range(keys) if self.fed - keys + column >= prompt]
        heads = range(scores.shape[1])
        if not written or layer not in (self.method.layers or ()):
            return (scores + mask).softmax(-1)
        if self.method.name == "iat":
            for row in range(len(scores)):
                for head in heads:
                    for column in written:
                        scores[row, head, 0, column] += self.method.alpha * abs(float(scores[row, head, 0, column]))
            return (scores + mask).softmax(-1)
        weights, given = (scores + mask).softmax(-1), self.method.statistics
        low = float(given["hallucinated"][layer])
        threshold = low + self.method.beta * (float(given["real"][layer]) - low)
        for row in range(len(scores)):
            if sum(float(weights[row, head, 0, written].mean()) for head in heads) >= threshold:
                self.left += 1
                continue
            self.changed += 1
            for head in heads:
                weights[row, head, 0, written] *= 1 + self.method.alpha * (float(given["ratio"][layer, head]) - 1)
                weights[row, head] /= weights[row, head].sum()
        return weights


@pytest.mark.parametrize("name", ["iat", "adaiat"])
@pytest.mark.parametrize("family", FAMILIES)
def test_it_equals_its_slow_reference(family, name):
    ours, tokens, run = in_batch(name, family)
    slow, inputs = shared(family, "eager", 2)
    loop = Slow(strong(name, family), inputs)
    loop.method = strong(name, family)
    with loop.on(slow):
        assert_close(ours, forced(slow, inputs, tokens))
    assert name == "iat" or (loop.left and loop.changed), "both sides of the threshold are met"
    assert name == "iat" or run.report()["written_mass"] > run.report()["written_mass_without"]


@pytest.mark.parametrize("name", ["iat", "adaiat"])
def test_a_static_cache_and_a_prompt_in_chunks_give_the_same(name):
    model, inputs = shared("llava", batch=2)
    ours, _, _ = in_batch(name, "llava")
    assert_close(said(model, inputs, strong(name), cache_implementation="static", disable_compile=True)[0], ours)
    assert_close(said(model, inputs, strong(name), prefill_chunk_size=4)[0], ours)


@pytest.mark.parametrize("name", ["iat", "adaiat"])
def test_kvsmooth_scores_the_row_that_it_made(name):
    model, inputs = zoo.build("llava", attn="eager", batch=2)
    expected, tokens, _ = said(model, inputs, strong(name))
    with strong(name)(model):
        seen = model.generate(**inputs, max_new_tokens=2, output_attentions=True, return_dict_in_generate=True).attentions[1]
    with KVSmooth(lambda_ref=0.0, margin=0.0, layers=ALL)(model) as smoothed:
        ours, own, _ = said(model, inputs, strong(name))
    assert torch.equal(own, tokens)
    assert_close(ours, expected)
    assert_close(smoothed.entropies[0], torch.stack([row_entropy(weights[:, :, -1]).mean(1) for weights in seen]))


def test_statistics_are_those_of_the_maps():
    model, inputs = zoo.build("llama", attn="eager")
    found = attention_to_text(model, inputs, 4, (6, 8))
    with torch.no_grad():
        maps = model(**inputs, output_attentions=True).attentions
    for number, place in enumerate((6, 8)):
        for layer in ALL:
            for head in range(4):
                weights = [float(maps[layer][0, head, place, column]) for column in range(4, place + 1)]
                assert float(found[number, layer, head]) == pytest.approx(sum(weights) / len(weights), rel=1e-5)
    made = statistics_of(found, found[1:])
    assert_close(made["ratio"], found.mean(0) / found[1], of=made["ratio"])
    assert_close(made["real"], found.mean(0).sum(1))
    assert_close(made["hallucinated"], found[1].sum(1))
    model, inputs = zoo.build("llama")
    with pytest.raises(ValueError, match="must hand out its attention"):
        attention_to_text(model, inputs, 4, (6,))


def test_a_head_whose_factor_falls_below_nothing_gets_nothing():
    model, inputs = zoo.build("llava", attn="eager")
    given = {**statistics(), "ratio": torch.full((3, 4), 0.5), "real": torch.full((3,), 99.0)}
    with AdaIAT(given, alpha=6.0, layers=ALL)(model) as run:
        out = model.generate(**inputs, max_new_tokens=2, output_attentions=True, return_dict_in_generate=True)
    assert all(float(weights[..., -1].max()) == 0 for weights in out.attentions[1])
    assert run.report()["written_mass"] == 0


def test_statistics_are_kept_in_a_file(tmp_path):
    torch.save(statistics(), tmp_path / "s.pt")
    assert AdaIAT(tmp_path / "s.pt").describe()["statistics"] == AdaIAT(statistics()).describe()["statistics"]
    (tmp_path / "torn.pt").write_bytes(b"PK\x03\x04 no more")
    for given, told in (
        (tmp_path / "none.pt", "there is no file"),
        (tmp_path / "torn.pt", "cannot be read"),
        ({"ratio": torch.ones(3, 4)}, r"must hold ratio, real, hallucinated; got \['ratio'\]"),
        ({**statistics(), "real": torch.ones(2)}, r"got shapes \[\[3, 4\], \[2\], \[3\]\]"),
    ):
        with pytest.raises(ValueError, match=told) as refused:
            AdaIAT(given)
        assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("given", "told"), [(None, "adaiat.statistics must be given"), (statistics(2), r"3 layers with 4 heads .*; got \[2, 4\]")]
)
def test_statistics_that_do_not_fit_are_refused(given, told):
    model, _ = zoo.build("llava")
    with pytest.raises(Unsupported, match=told) as refused, AdaIAT(given)(model):
        pass
    assert "\n" not in str(refused.value)
