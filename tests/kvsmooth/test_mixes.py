"""Each mix keeps its own law, head by head; inside a model they equal slow references in test_reference.py."""

import math
import random

import pytest
import torch

from kvsmooth import KVSmooth, Unsupported
from kvsmooth.mixes import MIXES, Ema, NormPreserving, RandomDirection, RunningMean, ShrinkOnly
from tests.kvsmooth.cases import MOVING, TOKENS, shared
from tests.kvsmooth.reference import smoothed
from tests.rounding import assert_close

SHAPE = (2, 3, 2, 8)  # layer row kv channel


def states(seed=0):
    generator = torch.Generator().manual_seed(seed)
    newest, previous = torch.randn(SHAPE, generator=generator), 3 * torch.randn(SHAPE, generator=generator)
    return newest, previous, torch.rand(*SHAPE[:2], 1, 1, generator=generator)


def build(mix, seed=0, shape=SHAPE):
    return mix(shape, torch.device("cpu"), tuple(f"{seed} {layer}" for layer in range(shape[0])))


def mixed(mix, newest, previous, rate):
    return mix(newest, mix.reference(previous), rate)


def heads():
    """Each head's newest state, previous state and rate, in float64."""
    newest, previous, rate = states()
    for layer, row, head in torch.cartesian_prod(*map(torch.arange, SHAPE[:3])).tolist():
        lam = float(rate[layer, row])
        yield (layer, row, head), newest[layer, row, head].double().tolist(), previous[layer, row, head].double().tolist(), lam


def length(vector):
    return math.sqrt(sum(x * x for x in vector))


@pytest.mark.parametrize("name", MIXES)
def test_a_rate_of_zero_is_a_no_op_to_the_bit(name):
    newest, previous, rate = states()
    assert torch.equal(mixed(build(MIXES[name]), newest, previous, rate * 0), newest)


@pytest.mark.parametrize("name", MIXES)
def test_a_mix_goes_by_its_name_and_leaves_its_inputs(name):
    assert MIXES[name].name == name
    newest, previous, rate = states()
    copies = newest.clone(), previous.clone()
    mix = build(MIXES[name])
    mix.remember(mix.reference(previous), mixed(mix, newest, previous, rate))
    assert torch.equal(newest, copies[0])
    assert torch.equal(previous, copies[1])


@pytest.mark.parametrize("mix", [Ema, NormPreserving, ShrinkOnly, RunningMean])
def test_each_head_against_plain_numbers(mix):
    newest, previous, rate = states()
    got = mixed(build(mix), newest, previous, rate)
    for place, own, before, lam in heads():
        average = [(1 - lam) * n + lam * p for n, p in zip(own, before, strict=True)]
        expected = {
            Ema: average,
            RunningMean: average,  # at the first step the mean is the previous state
            NormPreserving: [a * length(own) / length(average) for a in average],
            ShrinkOnly: [n * length(average) / length(own) for n in own],
        }[mix]
        assert got[place].tolist() == pytest.approx(expected, abs=1e-5)


def test_norms_and_directions_are_kept():
    newest, previous, rate = states()
    average = mixed(build(Ema), newest, previous, rate)
    turned, shrunk = (mixed(build(mix), newest, previous, rate) for mix in (NormPreserving, ShrinkOnly))
    torch.testing.assert_close(turned.norm(dim=-1), newest.norm(dim=-1), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(torch.cosine_similarity(turned, average, dim=-1), torch.ones(SHAPE[:3]), atol=1e-5, rtol=0)
    torch.testing.assert_close(shrunk.norm(dim=-1), average.norm(dim=-1), atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(torch.cosine_similarity(shrunk, newest, dim=-1), torch.ones(SHAPE[:3]), atol=1e-5, rtol=0)


def test_a_random_direction_is_as_long_as_the_change_and_points_anywhere():
    newest, previous, rate = states()
    change = mixed(build(Ema), newest, previous, rate) - newest
    mix = build(RandomDirection)
    draws = torch.stack([mixed(mix, newest, previous, rate) - newest for _ in range(400)])
    torch.testing.assert_close(draws.norm(dim=-1), change.norm(dim=-1).expand(400, *SHAPE[:3]), atol=1e-5, rtol=1e-4)
    cosines = torch.cosine_similarity(draws, change.expand_as(draws), dim=-1)
    # uniform on a sphere of 8 dimensions: mean 0, variance 1/8
    assert cosines.mean().abs() < 0.02
    assert float(cosines.var()) == pytest.approx(1 / 8, abs=0.01)


def test_random_directions_hang_on_seed_and_layer_and_not_on_the_grouping_of_layers():
    newest, previous, rate = states()
    both, again, other = (mixed(build(RandomDirection, seed), newest, previous, rate) for seed in (0, 0, 1))
    assert torch.equal(both, again)
    assert not torch.equal(both, other)
    alone = RandomDirection((1, *SHAPE[1:]), torch.device("cpu"), ("0 1",))
    assert torch.equal(mixed(alone, newest[1:], previous[1:], rate[1:]), both[1:])
    assert not torch.equal(*((part - newest[:1]) for part in (both[:1], newest[:1] + (both - newest)[1:])))


def test_a_random_direction_is_that_of_its_seed_and_layer():
    newest, previous, rate = states()
    added = mixed(build(RandomDirection), newest, previous, rate) - newest
    for layer in range(SHAPE[0]):
        generator = torch.Generator().manual_seed(random.Random(f"0 {layer}").getrandbits(32))
        cosine = torch.cosine_similarity(added[layer], torch.randn(SHAPE[1:], generator=generator), dim=-1)
        torch.testing.assert_close(cosine, torch.ones(SHAPE[1:3]), atol=1e-5, rtol=0)


def test_a_random_direction_keeps_the_precision_of_the_states():
    newest, previous, rate = (one.bfloat16() for one in states())
    assert mixed(build(RandomDirection), newest, previous, rate).dtype == torch.bfloat16


def test_what_is_remembered_lies_where_the_states_do():
    mean = RunningMean(SHAPE, torch.device("meta"), ("0", "1"))
    assert (mean.mean.device.type, mean.steps.device.type) == ("meta", "meta")


def test_numbers_drawn_in_a_compiled_step_are_refused(monkeypatch):
    newest, previous, rate = states()
    monkeypatch.setattr(torch.compiler, "is_compiling", lambda: True)
    with pytest.raises(Unsupported, match=r'^KVSmooth\.mix="random_direction" draws numbers.* run the model uncompiled\.$'):
        mixed(build(RandomDirection), newest, previous, rate)


def test_the_running_mean_is_over_all_states_before():
    mix, rate = build(RunningMean), states()[2]
    kept = [states(9)[1]]
    for step in range(5):
        newest = states(step)[0]
        reference = mix.reference(kept[-1])
        torch.testing.assert_close(reference, sum(state.double() for state in kept).float() / len(kept), atol=1e-5, rtol=1e-5)
        kept.append(mix(newest, reference, rate))
        mix.remember(reference, kept[-1])
    rows = torch.tensor([2, 0, 0])
    before = mix.reference(kept[-1])
    mix.reorder(rows)
    assert torch.equal(mix.reference(kept[-1]), before[:, rows])


def test_degenerate_states_stay_finite():
    zero, ones, half = torch.zeros(SHAPE), torch.ones(SHAPE), torch.full((2, 3, 1, 1), 0.5)
    for mix in MIXES.values():
        for newest, previous in ((zero, ones), (ones, zero), (zero, zero), (ones, -ones)):
            assert mixed(build(mix), newest, previous, half).isfinite().all()
    # an average that vanishes has no direction: the newest state stays
    assert torch.equal(mixed(build(NormPreserving), ones, -ones, half), ones)


def cached_states(name, **options):
    """Cached keys and values of a generated token, the same token with any mix, since it is the first one."""
    model, inputs = shared(name, batch=2)
    with KVSmooth(margin=0.0, layers=(0,), **options)(model), torch.no_grad():
        out = model.generate(**inputs, max_new_tokens=2, return_dict_in_generate=True)
    cache = out.past_key_values.layers[0]
    return cache.keys[:, :, -1], cache.values[:, :, -1]


@pytest.mark.parametrize("name", ["llava", *(pytest.param(name, marks=pytest.mark.slow) for name in ("gemma3", "qwen3"))])
@pytest.mark.parametrize("rope", ["after", "before"])
def test_cached_states_keep_the_laws_on_grouped_heads(name, rope):
    raw, average = cached_states(name, lambda_ref=0.0), cached_states(name, lambda_ref=0.6, mix="ema", rope=rope)
    for mix in ("norm_preserving", "shrink_only", "random_direction", "running_mean"):
        ours = cached_states(name, lambda_ref=0.6, mix=mix, rope=rope)
        for mine, found, mean in zip(ours, raw, average, strict=True):
            if mix == "norm_preserving":
                torch.testing.assert_close(mine.norm(dim=-1), found.norm(dim=-1), atol=1e-5, rtol=1e-5)
                torch.testing.assert_close(torch.cosine_similarity(mine, mean, dim=-1), torch.ones(mine.shape[:2]), atol=1e-5, rtol=0)
            elif mix == "shrink_only":
                torch.testing.assert_close(mine.norm(dim=-1), mean.norm(dim=-1), atol=1e-5, rtol=1e-5)
                torch.testing.assert_close(torch.cosine_similarity(mine, found, dim=-1), torch.ones(mine.shape[:2]), atol=1e-5, rtol=0)
            elif mix == "random_direction":
                torch.testing.assert_close((mine - found).norm(dim=-1), (mean - found).norm(dim=-1), atol=1e-5, rtol=1e-4)
            else:
                torch.testing.assert_close(mine, mean, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("mix", ["running_mean", "norm_preserving"])
def test_mixes_on_a_static_cache_and_in_beams(mix):
    method = KVSmooth(**MOVING, mix=mix, rope="before", previous="raw")
    dynamic, run, _ = smoothed("llava", method, 2, TOKENS)
    static, run_static, _ = smoothed("llava", method, 2, TOKENS, cache_implementation="static")
    assert_close(static, dynamic)
    assert_close(run_static.change_keys, run.change_keys)


def test_random_directions_are_the_same_from_run_to_run_and_differ_between_layers_and_parts():
    runs = [smoothed("llava", KVSmooth(**MOVING, mix="random_direction", mix_seed=seed), 2, 4)[0] for seed in (0, 0, 1)]
    assert torch.equal(runs[0], runs[1])
    assert not torch.equal(runs[0], runs[2])


def test_an_unknown_mix_is_named():
    with pytest.raises(ValueError, match=r"KVSmooth.mix must be one of \('ema', 'norm_preserving', .*; got 'blend'"):
        KVSmooth(mix="blend")
