"""Planted truths: one known sink, attention without any, a score that is position alone, and autocorrelation without a relation."""

import numpy as np
import pytest
import torch
from scipy import stats

from analysis.sinks import observation
from analysis.sinks.prediction import DRAWS, pairs
from analysis.sinks.scores import COUNTS, _counts, _received_sinks
from analysis.sinks.targets import WINDOWS, received
from analysis.stats.bootstrap import cluster_bca
from analysis.stats.concordance import auroc
from analysis.stats.paired import sign_flip
from kvsmooth.sinks import View
from kvsmooth.sinks.column_sum import ColumnSum
from kvsmooth.sinks.first_tokens import FirstTokens
from kvsmooth.sinks.massive_activation import MassiveActivation
from kvsmooth.sinks.mean_received import MeanReceived
from kvsmooth.sinks.mid_sequence import MidSequence
from kvsmooth.sinks.prompt import prompt_statistics
from kvsmooth.sinks.punctuation import Punctuation
from kvsmooth.sinks.value_drain import ValueDrain
from kvsmooth.sinks.visual_sink import VisualSink

TOKENS, SINK, CHANNEL, STOP = 80, 20, 7, 5
THRESHOLDED = {
    "first_tokens": FirstTokens(n_sink=1),
    "mean_received": MeanReceived(),
    "mid_sequence": MidSequence(threshold=0.3),
    "column_sum": ColumnSum(threshold=15.0),
    "massive_activation": MassiveActivation(),
    "visual_sink": VisualSink(energy=0.1),
    "value_drain": ValueDrain(),
    "punctuation": Punctuation(ids=(STOP,)),
}


def stack(share, seed=0, heads=2, width=64):
    """A text whose token `SINK` receives `share` of every later row, with a massive activation and a short value; share 0: uniform rows."""
    draw = torch.Generator().manual_seed(seed)
    allowed = torch.ones(TOKENS, TOKENS).tril()
    rows = allowed / allowed.sum(-1, keepdim=True)
    hidden = torch.randn(1, 1, TOKENS, width, generator=draw)
    value = torch.nn.functional.normalize(torch.randn(1, 1, heads, TOKENS, 16, generator=draw), dim=-1)
    value = value * (1 + 0.05 * torch.rand(TOKENS, 1, generator=draw))
    if share:
        rows[SINK + 1 :] *= 1 - share
        rows[SINK + 1 :, SINK] += share
        hidden[0, 0, SINK, CHANNEL] = 2000.0
        value[:, :, :, SINK] *= 0.05
    tokens = torch.full((1, TOKENS), STOP + 1)
    tokens[0, SINK] = STOP if share else STOP + 1
    return View(
        probabilities=rows.expand(1, 1, heads, TOKENS, TOKENS),
        value=value,
        hidden=hidden,
        prompt=prompt_statistics(hidden[0], torch.arange(TOKENS)[None] < 40),
        tokens=tokens,
        visible=torch.ones(1, TOKENS, dtype=torch.bool),
    )


def counted(name, seen):
    sink = _received_sinks(seen.probabilities[0, 0])
    fired = THRESHOLDED[name].fires(seen)[0].expand(1, -1, -1)
    return dict(zip(COUNTS, _counts(fired, 0, torch.ones(TOKENS, dtype=torch.bool), sink), strict=True))


@pytest.mark.parametrize("name", THRESHOLDED)
def test_the_planted_sink_is_recalled_without_false_alarms(name):
    found = counted(name, stack(0.6))
    judged = TOKENS - 16
    # position alone cannot know a sink in the middle, and calls BOS one
    expected = (0, 1, 1, judged - 2) if name == "first_tokens" else (1, 0, 0, judged - 1)
    assert tuple(found.values()) == expected, f"{name}: {found}"


@pytest.mark.parametrize("name", [name for name in THRESHOLDED if name != "first_tokens"])
def test_nothing_fires_on_uniform_attention(name):
    found = counted(name, stack(0.0))
    assert found["fires"] == found["both"] == found["sink"] == 0, f"{name}: {found}"


def texts(images, length, score, attention, prompt=4):
    """Measured texts of one layer with one detector, from functions of a generator."""
    made = []
    for number in range(images):
        draw = np.random.default_rng([5, number])
        rows = attention(draw, length)
        got = received(rows[None], WINDOWS)
        scores = np.concatenate([np.zeros(prompt), score(draw, rows)])
        tokens = draw.integers(0, 9, prompt + length).astype(np.int32)
        made.append({"scores": scores[None, None], "received": got, "received_most": got, "tokens": tokens})
    return made


def early_rows(draw, length):
    """Rows that prefer early keys, with noise that no score knows."""
    weight = np.exp(-3 * np.arange(length) / length) * draw.gamma(2, size=(length, length))
    rows = np.tril(weight)
    return rows / (1 + rows.sum(-1, keepdims=True))


def test_a_score_of_position_predicts_until_positions_are_matched():
    def score(draw, rows):
        return -np.arange(len(rows)) + draw.normal(0, 6, len(rows))

    found = pairs(texts(40, 60, score, early_rows), ["early"], WINDOWS, progress=False)
    pooled, stratified = found.pooled["early", 20], found.stratified["early", 20]
    assert pooled.auroc > 0.65
    assert pooled.auroc_within > 0.65
    interval = cluster_bca(auroc([stratified]), 40, resamples=599)
    assert interval.low[0] <= 0.5 <= interval.high[0]
    assert found.stratified["position", 20].auroc == 0.5
    # tokens were drawn at random: matching them leaves position at work
    assert found.same_token["early",].auroc > 0.65
    # sums of rank sums are the diagonal of the pairs
    inside = found.within[:, 0, WINDOWS.index(20)].sum() / found.within_pairs[:, WINDOWS.index(20)].sum()
    assert inside == pytest.approx(pooled.auroc_within)


def test_shuffle_nulls_sit_at_one_half_where_a_score_does_not():
    found = pairs(texts(30, 60, lambda draw, rows: rows.sum(0), early_rows), ["sum"], WINDOWS, progress=False)
    null = found.null[:, :, 0, WINDOWS.index(10)] / found.within_pairs[:, WINDOWS.index(10)].sum()
    assert null.shape == (2, DRAWS)
    assert abs(null.mean(axis=1) - 0.5).max() < 0.02
    assert found.pooled["sum", 10].auroc > 0.7


def test_a_null_exchanges_a_caption_not_each_of_its_layers():
    """Layers that say the same say it under a null too: nulls of two of them spread as those of one."""

    def twice(text):
        layered = {"scores": 1, "received": 1, "received_most": 1}
        return {name: np.concatenate([values] * 2, layered[name]) if name in layered else values for name, values in text.items()}

    measured = texts(10, 40, lambda draw, rows: rows.sum(0), early_rows)
    one, two = (pairs(made, ["sum"], (20,), progress=False) for made in (measured, [twice(text) for text in measured]))
    np.testing.assert_allclose(two.null, 2 * one.null)
    for key, found in one.shuffled.items():
        assert two.shuffled[key].auroc == pytest.approx(found.auroc)


def autoregressive(draw, shape, rho=0.6):
    """AR(1) series along the last axis, unit variance."""
    noise = draw.normal(size=shape)
    series = np.empty(shape)
    series[..., 0] = noise[..., 0]
    for step in range(1, shape[-1]):
        series[..., step] = rho * series[..., step - 1] + np.sqrt(1 - rho**2) * noise[..., step]
    return series


@pytest.mark.slow
def test_two_stage_tests_of_relation_and_trend_hold_their_level_under_autocorrelation():
    """AR(1) entropy, unrelated AR(1) attention: over images 5 % reject, to three standard errors; over tokens of one caption far more."""
    images, length, runs = 30, 40, 600
    spread = 3 * (0.05 * 0.95 / runs) ** 0.5
    draw = np.random.default_rng(0)
    entropy, attention = 3 + 0.3 * autoregressive(draw, (runs * images, length)), autoregressive(draw, (runs * images, length))
    step = np.broadcast_to(np.arange(length, dtype=float), (runs * images, length))
    for other in (attention, step):  # a relation, and a trend
        for number, relation in enumerate(("pearson", "spearman", "kendall")):
            values = np.concatenate([_relation(relation, *part) for part in _parts(entropy, other)]).reshape(runs, images).T
            p, _ = sign_flip(values, draws=999)
            assert abs((p < 0.05).mean() - 0.05) <= spread, (relation, (p < 0.05).mean())
            if number == 1:
                naive = [stats.spearmanr(entropy[i], other[i]).pvalue < 0.05 for i in range(400)]
                assert np.mean(naive) > 0.15


def _parts(one, other, size=1000):
    return [(one[start : start + size], other[start : start + size]) for start in range(0, len(one), size)]


def _relation(name, one, other):
    if name == "kendall":
        return observation.kendall(one, other)
    ranked = (one, other) if name == "pearson" else (stats.rankdata(one, axis=-1), stats.rankdata(other, axis=-1))
    return observation._pearson(*ranked)


@pytest.mark.slow
def test_the_stratified_interval_holds_one_half_in_repeated_confounded_samples(monkeypatch):
    monkeypatch.setattr("analysis.sinks.prediction.DRAWS", 1)  # no null is looked at
    hits, runs = 0, 60
    for run in range(runs):
        draws = np.random.default_rng(run)

        def score(draw, rows, draws=draws):
            return -np.arange(len(rows)) + draws.normal(0, 6, len(rows))

        found = pairs(texts(24, 40, score, early_rows), ["early"], (20,), progress=False)
        interval = cluster_bca(auroc([found.stratified["early", 20]]), 24, resamples=399, seed=run)
        hits += interval.low[0] <= 0.5 <= interval.high[0]
    assert hits / runs >= 0.88
