"""Beam search equals beams by hand: queues and previous states follow their hypotheses."""

import pytest

from tests import zoo
from tests.kvsmooth.cases import METHOD, RICH, assert_beams_equal_beams_by_hand

SLOW_FAMILIES = [pytest.param(name, marks=() if name == "llava" else pytest.mark.slow) for name in zoo.FAMILIES]


@pytest.mark.parametrize("name", SLOW_FAMILIES)
def test_beam_search_equals_beams_by_hand(name):
    assert_beams_equal_beams_by_hand(name, METHOD, None, 2)


@pytest.mark.slow
@pytest.mark.parametrize("method", [METHOD, RICH], ids=["default", "rich"])
@pytest.mark.parametrize("cache", [None, "static"])
def test_beam_search_equals_beams_by_hand_on_both_caches(cache, method):
    assert_beams_equal_beams_by_hand("llava", method, cache, 3)
