"""Every detector equals its slow reference, on whole texts of every family, left-padded batches included."""

import functools
import math

import pytest
import torch

from kvsmooth.sinks import SINKS, ColumnSum, Punctuation, ValueDrain
from tests import zoo
from tests.kvsmooth.sinks import capture, reference
from tests.rounding import assert_close

FAST = ("llava", "gemma3")
CASES = [
    ("first_tokens", {}),
    ("first_tokens", {"n_sink": 2}),
    ("mean_received", {}),
    ("column_sum", {}),
    ("mid_sequence", {}),
    ("column_product", {}),
    ("column_product", {"per_row": True}),
    ("column_product", {"form": "reference", "scale": 20.0}),
    ("row_entropy", {}),
    ("row_entropy", {"normalise": True}),
    ("massive_activation", {}),
    ("visual_sink", {}),
    ("visual_sink", {"channels": (3, 17)}),
    ("value_drain", {}),
    ("key_norm", {}),
    ("key_outlier", {}),
    ("key_outlier", {"directions": True}),
    ("sink_gap", {}),
    ("residual_peak", {}),
    ("sink_head", {}),
    ("sink_head", {"n_sink": 3}),
    ("tag_variance", {}),
    ("bos_cosine", {}),
    ("punctuation", {"ids": (11, 13, zoo.IMAGE)}),
]
COUNTING = ("column_product", "row_entropy")


@functools.cache
def texts(name: str):
    model, inputs, said = capture.generated(name)
    return capture.of(model, inputs, said), capture.eager_rows(name, inputs, said)


def compare(scores, expected: list, text, row: int, tolerance: float, padding: float = 0.0):
    """Scores "head position" of one row against lists over visible positions; an infinite score must be infinite."""
    there = text.visible[row]
    expected = torch.tensor(expected, dtype=torch.float64)
    torch.testing.assert_close(scores[:, there].double(), expected.expand(len(scores), -1), atol=tolerance, rtol=tolerance)
    assert (scores[:, ~there] == padding).all()


def check(name: str):
    text, eager = texts(name)
    generated = torch.zeros_like(text.visible)
    generated[:, text.start :] = True
    without_bos = text.visible & (text.ids != zoo.BOS)
    assert not text.visible.all(), "no padding in this batch"
    for layer in range(len(text.layers)):
        whole = text.seen(layer)
        for row in range(len(text.ids)):
            plain = reference.plain(text, layer, row)
            there = text.visible[row]
            rows = torch.zeros(whole.probabilities.shape[2], len(plain.tokens), len(plain.tokens), dtype=torch.float64)
            for head, by_query in enumerate(plain.rows):
                for i, weights in enumerate(by_query):
                    rows[head, i, list(weights)] = torch.tensor(list(weights.values()), dtype=torch.float64)
            assert_close(eager[layer][row][:, there][:, :, there], rows)
            assert_close(whole.probabilities[0, row][:, there][:, :, there], rows)
            assert (whole.probabilities[0, row][:, ~there] == 0).all()
            assert (whole.probabilities[0, row][..., ~there] == 0).all()
            for sink, options in CASES:
                detector, slow = SINKS[sink](**options), getattr(reference, sink)
                padding = -math.inf if sink == "column_product" and "form" not in options else 0.0
                # float16 has three digits
                tolerance = 2e-3 if "form" in options else 2e-4
                compare(detector(whole)[0, row], slow(plain, **options), text, row, tolerance, padding)
                if sink in COUNTING:
                    for counted in (generated, without_bos):
                        some = reference.counting(plain, counted[row, there].tolist())
                        scores = detector(text.seen(layer, counted))[0, row]
                        compare(scores, slow(some, **options), text, row, tolerance, padding)
            _check_fires(whole, plain, text, row)


def _check_fires(whole, plain, text, row):
    there = text.visible[row]
    for threshold in (1.0, 2.5):
        fired = ColumnSum(threshold=threshold).fires(whole)[0, row]
        assert fired[:, there].tolist() == reference.column_sum_fires(plain, threshold)
        assert not fired[:, ~there].any()
    fired = ValueDrain(threshold=0.02, spreads=0.3).fires(whole)[0, row]
    assert fired[:, there].tolist() == reference.value_drain_fires(plain, 0.02, 0.3)
    assert not fired[:, ~there].any()


@pytest.mark.parametrize("name", FAST)
def test_every_detector_equals_its_slow_reference(name):
    check(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", [name for name in zoo.FAMILIES if name not in FAST])
def test_every_detector_equals_its_slow_reference_in_every_family(name):
    check(name)


def test_the_cases_name_every_detector():
    assert {name for name, _ in CASES} == set(SINKS)


def test_the_zoo_has_sink_channels_somewhere():
    """Else the check of discovered channels compares zeros."""
    every = (texts(name)[0] for name in zoo.FAMILIES)  # of most seeds the first has some
    assert any(text.seen(layer).prompt.massive.any() for text in every for layer in range(len(text.layers)))


def test_padding_does_not_leak():
    """States of padded positions may hold anything."""
    text, _ = texts("llava")
    before = {name: _detector(name)(text.seen(1)) for name in SINKS}
    one = text.layers[1]
    padded = ~text.visible
    one.hidden[padded] = 1e6
    for states in (one.query, one.key, one.value):
        states.transpose(1, 2)[padded] = 1e6
    for name, scores in before.items():
        assert torch.equal(_detector(name)(text.seen(1)), scores), name
    texts.cache_clear()


def _detector(name):
    return Punctuation((11,)) if name == "punctuation" else SINKS[name]()
