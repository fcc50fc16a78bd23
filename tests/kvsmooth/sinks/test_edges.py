"""The edges of detectors and of what they stand on: channels, counted keys, masks together, thresholds, and rows without logits."""

import itertools
import math

import pytest
import torch

from kvsmooth.sinks import (
    FirstTokens,
    KeyNorm,
    MassiveActivation,
    Punctuation,
    RowEntropy,
    SinkHead,
    TagVariance,
    ValueDrain,
    View,
    VisualSink,
)
from kvsmooth.sinks.channels import massive_channels, strongest
from kvsmooth.sinks.needs import needs_of
from kvsmooth.sinks.toy import planted
from kvsmooth.sinks.whole import whole


def states(tokens=9, width=40, seed=0):
    return torch.randn(tokens, width, generator=torch.Generator().manual_seed(seed))


def test_massive_channels_equal_the_rule_by_loops():
    hidden = states(width=400)
    hidden[2, 7], hidden[5, 11], hidden[5, 3] = 30.0, -25.0, 12.0
    rows = hidden.tolist()
    energies = [sum(x * x for x in row) for row in rows]
    every = sorted(abs(x) for row in rows for x in row)
    median = every[(len(every) - 1) // 2]
    slow = {}
    for channel in range(400):
        share, size = max((row[channel] ** 2 / energy, abs(row[channel])) for row, energy in zip(rows, energies, strict=True))
        if share >= 0.1 and size >= 10 * median:
            slow[channel] = share
    assert set(slow) == {3, 7, 11}
    found = massive_channels(hidden)
    assert set(found) == set(slow)
    assert found == pytest.approx(slow)
    assert list(found) == sorted(found, key=found.get, reverse=True)


def test_massive_channels_must_satisfy_both_parts_of_the_rule_and_are_few():
    assert massive_channels(torch.zeros(0, 8)) == {}
    assert massive_channels(states(width=8)) == {}  # shares above a tenth, no size beyond the median's tenfold
    level = torch.full((30, 900), 0.1)
    level[4, 8] = 2.0  # twenty times the median, and 31 % of the energy
    assert list(massive_channels(level)) == [8]
    level[4, 8] = 0.99  # ten times is not reached
    assert massive_channels(level) == {}
    spread = torch.full((6, 4000), 0.1)
    spread[0, 0] = 1.5  # fifteen times, but 5 % of the energy
    assert massive_channels(spread) == {}
    many = states(tokens=6, width=200)
    for token in range(6):
        many[token, token] = 100.0 + token
    assert len(massive_channels(many)) == 4


def test_the_strongest_channels_are_told_by_number():
    assert strongest([]) == ()
    assert strongest([{9: 0.2, 1: 0.5}, {9: 0.8}]) == (1, 9)
    assert strongest([{9: 0.2, 1: 0.5, 4: 0.3}, {9: 0.9, 7: 0.1}, {2: 0.25, 9: 0.1}]) == (1, 2, 4, 9)
    assert strongest([{9: 0.9}, {9: 0.1}, {1: 0.2, 2: 0.3, 3: 0.4, 5: 0.5}]) == (2, 3, 5, 9)


def test_counted_keys_are_visible_and_counted():
    visible, counted = torch.tensor([[False, True, True]]), torch.tensor([[True, True, False]])
    assert View().counted_keys() is None
    assert View(visible=visible).counted_keys() is visible
    assert View(counted=counted).counted_keys() is counted
    assert View(visible=visible, counted=counted).counted_keys().tolist() == [[False, True, False]]


def test_a_function_that_says_no_needs_is_given_the_probabilities():
    assert needs_of(lambda seen: seen) == {"probabilities"}
    assert needs_of(VisualSink()) == {"hidden", "prompt"}


def test_a_mask_of_keys_narrows_what_is_visible():
    draw = torch.randn(1, 2, 6, 8, generator=torch.Generator().manual_seed(0))
    visible, mask = torch.tensor([[0, 1, 1, 1, 1, 1]]).bool(), torch.tensor([[1, 1, 1, 0, 1, 1]])
    seen = whole(draw, draw, draw, mask=mask, visible=visible)
    assert seen.visible.tolist() == [[False, True, True, False, True, True]]
    by_hand = torch.zeros(2, 6, 6, dtype=torch.float64)
    there = [1, 2, 4, 5]
    for head in range(2):
        for i in there:
            weights = {j: math.exp(float(draw[0, head, i].double() @ draw[0, head, j].double()) / math.sqrt(8)) for j in there if j <= i}
            for j, weight in weights.items():
                by_hand[head, i, j] = weight / sum(weights.values())
    torch.testing.assert_close(seen.probabilities[0, 0].double(), by_hand, atol=1e-5, rtol=1e-5)


def test_scaling_softcap_and_grouped_heads_are_those_of_the_formula():
    draw = torch.Generator().manual_seed(1)
    query, key = torch.randn(1, 4, 5, 8, generator=draw), torch.randn(1, 2, 5, 8, generator=draw)
    seen = whole(query, key, key, scaling=0.7, softcap=1.5, mask=torch.ones(1, 1, 9, 9).tril().bool())
    for head in range(4):
        logits = 1.5 * torch.tanh(0.7 * query[0, head] @ key[0, head // 2].T / 1.5)
        hidden = torch.ones(5, 5).triu(1).bool()
        torch.testing.assert_close(seen.logits[0, 0, head][~hidden], logits[~hidden])
        assert seen.logits[0, 0, head][hidden].isneginf().all()
    assert seen.hidden is seen.prompt is seen.tokens is seen.visible is None


def test_what_an_additive_mask_adds_is_added():
    """Such as a slope by distance, and minus infinity where nothing is seen."""
    draw = torch.Generator().manual_seed(2)
    query, key = torch.randn(1, 2, 5, 8, generator=draw), torch.randn(1, 2, 5, 8, generator=draw)
    slope = -0.3 * (torch.arange(5)[:, None] - torch.arange(5)).float()
    mask = slope.masked_fill(torch.ones(5, 5).triu(1).bool(), torch.finfo(torch.float32).min)[None, None]
    seen = whole(query, key, key, mask=mask)
    for head, i in itertools.product(range(2), range(5)):
        expected = [float(query[0, head, i] @ key[0, head, j]) / math.sqrt(8) - 0.3 * (i - j) for j in range(i + 1)]
        assert seen.logits[0, 0, head, i, : i + 1].tolist() == pytest.approx(expected, abs=1e-5)
        assert seen.logits[0, 0, head, i, i + 1 :].isneginf().all()


def test_one_row_that_stands_for_all_heads_is_spread_over_them_text_by_text():
    draw = torch.Generator().manual_seed(3)
    query, key, value = (torch.randn(2, 4, 6, 8, generator=draw) for _ in range(3))

    def tagged(row):
        seen = whole(query[row], key[row], value[row])
        mean = {"probabilities": seen.probabilities.mean(2, keepdim=True), "logits": seen.logits[:, :, :1]}
        return TagVariance()(View(**mean, values=seen.values))

    together = tagged(slice(None))
    assert together.shape == (1, 2, 4, 6)
    for row in range(2):
        torch.testing.assert_close(together[:, row], tagged(slice(row, row + 1))[:, 0])


def test_a_token_at_the_threshold_is_no_sink():
    seen = planted()
    scores = KeyNorm()(seen)
    at = float(scores[0, 0, 0, 3])
    assert 0 < (scores > at).sum() < scores.numel()

    class Sharp(KeyNorm):
        threshold = at

    assert torch.equal(Sharp().fires(seen), scores > at)
    assert not Sharp().fires(seen)[0, 0, 0, 3]


def test_entropy_is_normalised_alike_with_and_without_logits():
    seen = planted()
    counted = torch.ones(1, seen.probabilities.shape[-1], dtype=torch.bool)
    counted[0, ::3] = False
    for some in (None, counted):
        told = View(probabilities=seen.probabilities, logits=seen.logits, counted=some)
        untold = View(probabilities=seen.probabilities, counted=some)
        scores = RowEntropy(normalise=True)(untold)
        torch.testing.assert_close(scores, RowEntropy(normalise=True)(told))
        mass = untold.probabilities[0, 0, 1, 20] * (1 if some is None else some[0])
        weights = [x for x in (mass / mass.sum()).double().tolist() if x > 0]
        keys = 21 if some is None else int(some[0, :21].sum())
        assert float(scores[0, 0, 1, 20]) == pytest.approx(-sum(x * math.log(x) for x in weights) / math.log(keys), abs=1e-5)
        newest = RowEntropy(normalise=True)(View(probabilities=seen.probabilities[..., -1:, :], counted=some))
        torch.testing.assert_close(newest, scores[..., -1:])


def test_massive_activations_must_exceed_their_ratio_and_their_size():
    seen = planted()
    small = View(hidden=seen.hidden / 100, prompt=planted().prompt)
    assert MassiveActivation(threshold=10.0, least=0.0).fires(small)[0, 0, 0].nonzero().flatten().tolist() == [0, 9]
    assert MassiveActivation(threshold=10.0, least=19.0).fires(small).sum() == 2
    assert not MassiveActivation(threshold=10.0, least=20.0).fires(small).any()
    assert not MassiveActivation(threshold=10.0).fires(small).any()
    with pytest.raises(ValueError, match=r"MassiveActivation\.threshold must be a number"):
        MassiveActivation(threshold=None).fires(seen)


def test_drained_values_need_attention_and_their_own_threshold():
    seen = planted()
    assert ValueDrain().fires(seen)[0, 0].any(0).nonzero().flatten().tolist() == [0, 9]
    assert not ValueDrain(threshold=1.0).fires(seen).any()
    assert not ValueDrain(spreads=100.0).fires(seen).any()
    with pytest.raises(ValueError, match=r"ValueDrain\.threshold must be a number"):
        ValueDrain(threshold=None).fires(seen)
    with pytest.raises(ValueError, match=r"^ValueDrain\.fires must see the attention row of every position .* got no rows\.$"):
        ValueDrain().fires(View(value=seen.value))


def test_options_at_their_bounds_are_taken():
    seen = planted()
    assert FirstTokens(n_sink=1)(seen)[0, 0, 0].tolist() == [1.0] + 23 * [0.0]
    assert SinkHead(n_sink=1)(seen)[0, 0, 0, 1] > 0
    assert VisualSink(energy=0.0).fires(seen).all()
    for options, told in (
        ({"energy": 1.0}, "energy must lie in"),
        ({"energy": -0.1}, "energy"),
        ({"channels": (-1,)}, "channels must be None"),
    ):
        with pytest.raises(ValueError, match=rf"^VisualSink\.{told}"):
            VisualSink(**options)
    assert VisualSink(channels=(0,)).channels == (0,)
    for kind in (FirstTokens, SinkHead):
        with pytest.raises(ValueError, match=rf"^{kind.__name__}\.n_sink must be a positive integer; got True"):
            kind(n_sink=True)
    with pytest.raises(ValueError, match=r"^Punctuation\.ids must be integers; got True"):
        Punctuation((1, True))


def test_sink_channels_are_told_apart_by_phi():
    """phi by its formula: the largest of the named channels over the root mean square."""
    hidden = states(tokens=3, width=16)[None, None]
    phi = VisualSink(channels=(2, 9))(View(hidden=hidden))[0, 0, 0]
    for token in range(3):
        row = hidden[0, 0, token].double()
        assert float(phi[token]) == pytest.approx(float(row[[2, 9]].abs().max() / row.square().mean().sqrt()))
    share = float(phi[0] ** 2 / 16)
    assert VisualSink(channels=(2, 9), energy=share * 0.999).fires(View(hidden=hidden))[0, 0, 0, 0]
    assert not VisualSink(channels=(2, 9), energy=share * 1.001).fires(View(hidden=hidden))[0, 0, 0, 0]
