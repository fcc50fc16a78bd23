"""Planted truths: what each detector finds of known sinks, and that none fires where there is no sink."""

import math

import pytest
import torch

from kvsmooth.sinks import SINKS, ColumnSum, Detector, MeanReceived
from kvsmooth.sinks.toy import STOP, TOKENS, planted, uniform

OPTIONS = {
    "punctuation": {"ids": (STOP,)},
    "column_sum": {"threshold": 4.0},  # the default needs a thousand tokens
    "mid_sequence": {"threshold": 0.3},
    "column_product": {"per_row": True},
}
LAYERS = [(place, seed) for place in (6, 9, 14) for seed in range(5)]

BOTH, SECOND, FIRST, NEITHER = (True, True), (False, True), (True, False), (False, False)
FINDS = {
    "first_tokens": FIRST,
    "mean_received": BOTH,
    "column_sum": BOTH,
    "mid_sequence": SECOND,  # by definition
    "column_product": BOTH,
    "row_entropy": SECOND,  # the first token's row has one key: its entropy is 0
    "massive_activation": BOTH,
    "visual_sink": BOTH,
    "value_drain": BOTH,
    "key_norm": BOTH,
    "key_outlier": SECOND,  # the first key is its own mean
    "sink_gap": NEITHER,  # these three tell who leans on the sink
    "residual_peak": BOTH,
    "sink_head": NEITHER,
    "tag_variance": NEITHER,
    "bos_cosine": BOTH,
    "punctuation": BOTH,
}
"""Which of two planted sinks, the first token and one in the middle, rank above every other token."""
FALSE_ALARMS = {"first_tokens": 3}
"""Other tokens that fire, a text."""
BY_DEFINITION = ("first_tokens", "punctuation")
"""Detectors that look at neither attention nor states."""


def detector(name: str) -> Detector:
    return SINKS[name](**OPTIONS.get(name, {}))


def found(name: str, place: int, seed: int):
    """Which sinks outrank every other token, which fire, and how many other tokens fire."""
    seen, one = planted((0, place), seed=seed), detector(name)
    scores = one(seen)[0, 0].mean(0)
    others = torch.ones(TOKENS, dtype=torch.bool)
    others[[0, place]] = False
    ranks = tuple((scores[[0, place]] > scores[others].max()).tolist())
    if one.threshold is None:
        return ranks, ranks, 0
    fired = one.fires(seen)[0, 0].any(0)
    return ranks, tuple(fired[[0, place]].tolist()), int(fired[others].sum())


@pytest.mark.parametrize("name", SINKS)
def test_recall_and_false_alarms_on_planted_sinks(name):
    for place, seed in LAYERS:
        ranked, fired, alarms = found(name, place, seed)
        told = f"{name}, sinks at 0 and {place}, seed {seed}: ranked first {ranked}, fired {fired}, false alarms {alarms} of {TOKENS - 2}"
        # a position that only comes first by index shares its score with the next ones
        assert ranked == (NEITHER if name == "first_tokens" else FINDS[name]), told
        assert fired == FINDS[name], told
        assert alarms == FALSE_ALARMS.get(name, 0), told


@pytest.mark.parametrize("name", ["sink_gap", "sink_head", "tag_variance"])
def test_detectors_of_leaning_tell_the_tokens_that_lean_on_the_first(name):
    """Every query leans on the planted sinks but those of the sinks themselves; a drained value tags nothing."""
    for place, seed in LAYERS:
        scores = detector(name)(planted((0, place), seed=seed, drain=1.0))[0, 0].mean(0)
        # tags of two sinks mix behind the second one
        leaning = scores[1:place] if name == "tag_variance" else torch.cat((scores[1:place], scores[place + 1 :]))
        assert leaning.min() > scores[[0, place]].max(), (place, seed)


@pytest.mark.parametrize("name", [name for name in SINKS if name not in BY_DEFINITION])
def test_uniform_attention_has_no_sinks(name):
    one = detector(name)
    for seed in range(5):
        seen = uniform(seed=seed)
        torch.testing.assert_close(seen.probabilities[0, 0, 0, -1], torch.full((TOKENS,), 1 / TOKENS))
        if one.threshold is None:
            with pytest.raises(ValueError, match="threshold"):
                one.fires(seen)
        else:
            assert not one.fires(seen).any()


def test_uniform_attention_scores_are_those_of_arithmetic():
    """The nulls by hand: harmonic sums down a column, logarithms along a row, no gap, no lean."""
    seen = uniform()
    harmonic = [sum(1 / (i + 1) for i in range(j, TOKENS)) for j in range(TOKENS)]
    assert detector("column_sum")(seen)[0, 0, 0].tolist() == pytest.approx(harmonic, rel=1e-5)
    mean = [total / (TOKENS - j) for j, total in enumerate(harmonic)]
    assert detector("mean_received")(seen)[0, 0, 0].tolist() == pytest.approx(mean, rel=1e-5)
    assert detector("row_entropy")(seen)[0, 0, 0].tolist() == pytest.approx([math.log(i + 1) for i in range(TOKENS)], abs=1e-5)
    assert detector("sink_gap")(seen).abs().max() < 1e-6
    assert detector("sink_head")(seen)[0, 0, 0, 1:].tolist() == pytest.approx([1 / (i + 2) for i in range(TOKENS - 1)], rel=1e-5)


def test_column_sums_alone_call_the_first_token_a_sink_of_uniform_attention():
    """A multiple of the mean below 1 + 1/2 + ... + 1/T is no evidence."""
    assert ColumnSum(threshold=3.0).fires(uniform()).any(2).nonzero().tolist() == [[0, 0, 0]]
    assert not MeanReceived().fires(uniform()).any()


def test_the_reference_product_overflows_where_logs_do_not():
    seen = planted(tokens=80)
    product, logs = SINKS["column_product"](form="reference")(seen), SINKS["column_product"]()(seen)
    assert product[0, 0, 0, 0] == math.inf
    assert logs.isfinite().all()
    late = slice(75, 80)
    expected = (1e-7 * logs[0, 0, 0, late].exp()).half().float()
    torch.testing.assert_close(product[0, 0, 0, late], expected, rtol=2e-3, atol=1e-7)
