"""Entropy from one flash call against float64 maps, and what is refused."""

import pytest
import torch

from kvsmooth import Unsupported
from kvsmooth.flash_entropy import flash_entropy
from tests.kvsmooth.maps import CASES, case, drawn
from tests.rounding import SUM, assert_close


@pytest.mark.parametrize("name", [name for name in CASES if "softcap" not in name])
def test_flash_entropy_equals_maps(name):
    query, key, mask, options, _, expected, _, _ = case(**CASES[name])
    found = flash_entropy(query, key, mask, **options)
    assert_close(found, expected["entropy"], SUM, of=expected["logsumexp"])
    raised = flash_entropy(query.bfloat16(), key.bfloat16(), mask, **options)
    again = flash_entropy(query.bfloat16().float(), key.bfloat16().float(), mask, **options)
    assert torch.equal(raised, again)


def test_flash_entropy_refuses_a_softcap_in_one_line():
    with pytest.raises(Unsupported, match=r"flash_entropy cannot serve scores with a softcap \(3.0\); use map_statistics") as caught:
        flash_entropy(*drawn(1, 2, 2, 4, 4), softcap=3.0)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("left", ["rows", "queries", "keys"])
def test_nothing_to_ask_gives_nothing(left):
    """The operator itself divides by zero, and takes the process with it."""
    query, key = drawn(2, 4, 2, 5, 5)
    query = query[:0] if left == "rows" else query[:, :, :0] if left == "queries" else query
    key = key[:0] if left == "rows" else key[:, :, :0] if left == "keys" else key
    found = flash_entropy(query, key, causal=left != "keys")
    assert found.shape == query.shape[:3]
    assert (found == 0).all()


def test_heads_that_do_not_share_key_heads_evenly_are_refused():
    """The operator would read past the last key head."""
    with pytest.raises(ValueError, match=r"flash_entropy.key must be .* a number of heads that divides 5; got shape \(1, 2, 6, 16\)"):
        flash_entropy(*drawn(1, 5, 2, 6, 6))
