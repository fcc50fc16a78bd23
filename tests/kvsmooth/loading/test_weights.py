"""Weights that are not whole are named; what a subject makes of it is tested with subjects."""

import pytest
import torch

from kvsmooth.loading.weights import incomplete, nonfinite, not_finite, unused
from tests.zoo import build

NORM = "model.norm.weight"


def told(missing=(), unexpected=(), mismatched=()):
    return {"missing_keys": set(missing), "unexpected_keys": set(unexpected), "mismatched_keys": set(mismatched)}


@pytest.fixture
def llama():
    return build("llama")[0]


def test_a_whole_model_has_nothing_to_tell(llama):
    assert [incomplete(llama, told()), unused(llama, told()), not_finite(llama)] == [None] * 3


def test_many_names_become_a_number(llama):
    assert incomplete(llama, told("dabec")).startswith("a, b, c and 2 more (5 parameters) are not in its weights, and would be random;")
    assert incomplete(llama, told("a", "b")).startswith("a is not in its weights, which hold b instead, and would be random;")
    assert incomplete(llama, told(mismatched=[("a", (2,), (3,))])).startswith("a [2] for [3] has another shape in its weights")


def test_what_the_model_derives_itself_is_not_left_over(llama):
    derived = next(path for path, _ in llama.named_buffers())
    assert unused(llama, told(unexpected=[derived])) is None
    assert unused(llama, told(unexpected=[derived, "head.bias"])).startswith("its weights hold head.bias, which")


@pytest.mark.parametrize("value", [float("nan"), float("-inf")])
def test_a_value_that_is_no_number_is_named(llama, value):
    llama.get_parameter(NORM).data[0] = value
    assert nonfinite(llama) == [NORM]
    assert not_finite(llama) == f"{NORM} has NaN or infinite values; restore the weights."
    assert "float16 ends at 65504" in not_finite(llama.half())


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_large_numbers_are_numbers_though_their_sum_is_none(dtype):
    layer = torch.nn.Linear(8, 8, dtype=dtype)
    torch.nn.init.constant_(layer.weight, torch.finfo(dtype).max)
    assert nonfinite(layer) == []
    layer.weight.data[0, 0], layer.weight.data[1, 0] = float("inf"), float("-inf")
    assert nonfinite(layer) == ["weight"]


def test_what_has_no_content_is_not_looked_at():
    with torch.device("meta"):
        assert nonfinite(torch.nn.Linear(2, 2)) == []
