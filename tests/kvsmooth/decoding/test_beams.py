"""Beam search equals beams by hand: queues and previous states follow their hypotheses."""

import pytest

from kvsmooth import KVSmooth
from tests import zoo
from tests.kvsmooth.cases import METHOD, MOVING, RICH, assert_beams_equal_beams_by_hand

SLOW_FAMILIES = [pytest.param(name, marks=() if name == "llava" else pytest.mark.slow) for name in zoo.FAMILIES]


@pytest.mark.parametrize("name", SLOW_FAMILIES)
def test_beam_search_equals_beams_by_hand(name):
    assert_beams_equal_beams_by_hand(name, METHOD, None, 2, tokens=6 if name == "llava" else 5)


@pytest.mark.parametrize(
    "method", [KVSmooth(**MOVING, output=True), KVSmooth(**MOVING, previous="raw", mix="running_mean")], ids=["output", "raw mean"]
)
def test_outputs_raw_states_and_means_follow_their_hypotheses(method):
    assert_beams_equal_beams_by_hand("llama", method, None, 2)


@pytest.mark.slow
@pytest.mark.parametrize("method", [METHOD, RICH], ids=["default", "rich"])
@pytest.mark.parametrize("cache", [None, "static"])
def test_beam_search_equals_beams_by_hand_on_both_caches(cache, method):
    assert_beams_equal_beams_by_hand("llava", method, cache, 3)
