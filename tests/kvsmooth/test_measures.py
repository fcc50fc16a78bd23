"""Each measure against the plainest formula that defines it."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from kvsmooth import measures

finite = st.floats(-30, 30, width=32)
law = settings(deadline=None, max_examples=50)  # a busy machine is no failure


def slow_probabilities(query, key, mask, scaling, softcap, bias):
    rows, heads = query.shape[:2]
    group = heads // key.shape[1]
    out = torch.zeros(rows, heads, key.shape[2], dtype=torch.float64)
    for row in range(rows):
        for head in range(heads):
            scores = []
            for place in range(key.shape[2]):
                score = scaling * float(query[row, head, -1].double() @ key[row, head // group, place].double())
                score = score if softcap is None else softcap * math.tanh(score / softcap)
                score = score if bias is None else score + float(bias[0, head, -1, place])
                if mask is not None:
                    seen = mask[row, 0, -1, place]
                    score = score + float(seen) if mask.dtype != torch.bool else score if seen else -math.inf
                scores.append(score)
            top = max(scores)
            weights = [math.exp(score - top) for score in scores]
            out[row, head] = torch.tensor(weights, dtype=torch.float64) / sum(weights)
    return out


@pytest.mark.parametrize("queries", [1, 3])
@pytest.mark.parametrize("mask", ["none", "boolean", "additive"])
@pytest.mark.parametrize(("softcap", "with_bias"), [(None, False), (2.0, True)])
def test_newest_row_probabilities(mask, queries, softcap, with_bias):
    query, key = torch.randn(2, 6, queries, 4), torch.randn(2, 3, 9, 4)
    seen = torch.rand(2, 1, queries, 9) > 0.3
    seen[..., -1] = True
    seen = {"none": None, "boolean": seen, "additive": torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(torch.float32).min)}[mask]
    bias = torch.randn(1, 6, queries, 9) if with_bias else None
    fast = measures.newest_row_probabilities(query, key, seen, 0.3, softcap, bias)
    torch.testing.assert_close(fast.double(), slow_probabilities(query, key, seen, 0.3, softcap, bias), atol=1e-6, rtol=1e-5)


def test_scaling_defaults_to_the_inverse_root_of_the_channels():
    query, key = torch.randn(1, 2, 1, 16), torch.randn(1, 2, 5, 16)
    fast = measures.newest_row_probabilities(query, key)
    torch.testing.assert_close(fast.double(), slow_probabilities(query, key, None, 0.25, None, None), atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("additive", [False, True])
def test_visible_keys(additive):
    seen = torch.tensor([[True, False, True], [False, False, True]])[:, None, None]
    mask = torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(torch.float32).min) if additive else seen
    assert torch.equal(measures.visible_keys(mask, 3), seen[:, 0, 0])
    assert measures.visible_keys(None, 3) is None


@law
@given(st.lists(finite, min_size=1, max_size=40))
def test_row_entropy(scores):
    probabilities = torch.tensor(scores).softmax(-1)
    slow = -sum(p * math.log(p) for p in probabilities.double().tolist() if p > 0)
    entropy = float(measures.row_entropy(probabilities))
    assert entropy == pytest.approx(slow, abs=1e-5)
    assert -1e-6 <= entropy <= math.log(len(scores)) + 1e-5


def test_row_entropy_of_extremes():
    assert float(measures.row_entropy(torch.eye(5)[0])) == 0
    assert float(measures.row_entropy(torch.full((8,), 0.125))) == pytest.approx(math.log(8), rel=1e-6)


def test_group_mass():
    probabilities, groups = torch.randn(2, 3, 7).softmax(-1), torch.randint(-1, 4, (2, 7))
    mass = measures.group_mass(probabilities, groups, 4)
    for row in range(2):
        for head in range(3):
            for group in range(4):
                slow = sum(float(probabilities[row, head, key]) for key in range(7) if groups[row, key] == group)
                assert float(mass[row, head, group]) == pytest.approx(slow, abs=1e-6)


@law
@given(st.lists(st.sampled_from([0.0, 1.0, 2.0, 3.5]), min_size=1, max_size=12), st.integers(1, 6))
@pytest.mark.parametrize("rank", ["strict", "inclusive", "mid"])
@pytest.mark.parametrize("divisor", ["window", "length"])
def test_percentile_rank_equals_a_deque(rank, divisor, scores, window):
    from collections import deque

    queue, slow = torch.full((window, 1), float("nan")), deque(maxlen=window)
    for score in scores:
        queue = torch.cat((queue[1:], torch.tensor([[score]])))
        slow.append(score)
        strict, weak = sum(s < score for s in slow), sum(s <= score for s in slow)
        count = {"strict": strict, "inclusive": weak, "mid": (strict + weak) / 2}[rank]
        expected = count / (window if divisor == "window" else len(slow))
        assert float(measures.percentile_rank(queue, torch.tensor([score]), rank, divisor)) == pytest.approx(expected)


@law
@given(finite, finite, st.floats(0, 1, width=32))
def test_ema(newest, previous, rate):
    newest, previous, rate = torch.tensor(newest), torch.tensor(previous), torch.tensor(rate)
    slow = (1 - float(rate)) * float(newest) + float(rate) * float(previous)
    assert float(measures.ema(newest, previous, rate)) == pytest.approx(slow, abs=1e-5)
    assert float(measures.ema(newest, previous, torch.tensor(0.0))) == float(newest)


@pytest.mark.parametrize("shape", [(4, 5), (3, 4, 5), (2, 3, 4, 5)])
def test_relative_change(shape):
    change, raw = torch.randn(shape), torch.randn(shape)
    slow = change.double().pow(2).sum((-1, -2)).sqrt() / raw.double().pow(2).sum((-1, -2)).sqrt()
    torch.testing.assert_close(measures.relative_change(change, raw).double(), slow, atol=1e-6, rtol=1e-5)


def rotated(key, frequencies, position):
    """A rotary key by complex numbers: pair (x_i, x_{i + half}) turned by position * frequency_i."""
    half = len(frequencies)
    pair = torch.complex(key[..., :half].double(), key[..., half : 2 * half].double())
    pair = pair * torch.polar(torch.ones(half, dtype=torch.float64), position * frequencies.double())
    return torch.cat((pair.real, pair.imag, key[..., 2 * half :].double()), -1)


@pytest.mark.parametrize("channels", [8, 12])
@law
@given(st.integers(0, 4000), st.integers(1, 9))
def test_rope_shift_moves_a_rotated_key(channels, position, steps):
    # with 12 channels the last 4 are not rotary
    frequencies = torch.tensor([1.0, 0.3, 0.05, 0.001])
    key = torch.linspace(-2, 2, channels)
    start = rotated(key, frequencies, position).float()
    moved = measures.rope_shift(start, frequencies, steps)
    torch.testing.assert_close(moved.double(), rotated(key, frequencies, position + steps), atol=1e-5, rtol=0)


@law
@given(st.lists(finite, min_size=3, max_size=3), st.lists(finite, min_size=3, max_size=3))
def test_angle(a, b):
    a, b = torch.tensor(a, dtype=torch.float64), torch.tensor(b, dtype=torch.float64)
    length = float(a.norm() * b.norm())
    if min(float(a.norm()), float(b.norm())) < 1e-3:
        a, b, length = torch.tensor([1.0, 0, 0]).double(), torch.tensor([0.0, 1, 0]).double(), 1.0
    slow = math.acos(max(-1.0, min(1.0, float(a @ b) / length)))
    assert float(measures.angle(a.float(), b.float())) == pytest.approx(slow, abs=2e-3)


def test_angle_keeps_tiny_angles():
    a, b = torch.tensor([1.0, 0.0]), torch.tensor([1.0, 1e-4])
    assert float(measures.angle(a, b)) == pytest.approx(1e-4, rel=1e-3)


def test_many_vectors_at_once_are_measured_one_by_one():
    a, b, frequencies = torch.randn(2, 4, 10), torch.randn(2, 4, 10), torch.tensor([1.0, 0.3, 0.05, 0.001])
    whole = measures.angle(a, b), measures.rotate_half(a), measures.rope_shift(a, frequencies)
    for place in torch.cartesian_prod(torch.arange(2), torch.arange(4)).tolist():
        i = tuple(place)
        alone = measures.angle(a[i], b[i]), measures.rotate_half(a[i]), measures.rope_shift(a[i], frequencies, 1)
        for among, single in zip(whole, alone, strict=True):
            torch.testing.assert_close(among[i], single, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize("rank", ["strict", "inclusive", "mid"])
def test_many_scores_at_once_are_ranked_one_by_one(rank):
    queue, score = torch.randint(0, 3, (5, 2, 4)).float(), torch.ones(2, 4)
    ranks = measures.percentile_rank(queue, score, rank, "length")
    for i, j in torch.cartesian_prod(torch.arange(2), torch.arange(4)).tolist():
        assert ranks[i, j] == measures.percentile_rank(queue[:, i, j, None], score[i, j, None], rank, "length")


def test_a_rank_is_strict_and_over_the_window_unless_told_otherwise():
    queue = torch.tensor([math.nan, 1.0, 2.0, 2.0])[:, None]
    assert float(measures.percentile_rank(queue, torch.tensor([2.0]))) == 1 / 4
