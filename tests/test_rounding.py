"""The bound of rounding holds against float64 and sees a change that is none."""

import copy

import pytest
import torch

from tests import rounding, zoo
from tests.zoo import decoder_of

FAMILIES = ("llama", "gemma3", "instructblip", "paligemma")


@pytest.mark.parametrize("family", FAMILIES)
def test_single_precision_lies_within_the_bound_and_a_changed_weight_does_not(family):
    model, inputs = zoo.build(family)
    exact = copy.deepcopy(model).double()
    with torch.no_grad():
        expected = exact(**{name: value.double() if value.is_floating_point() else value for name, value in inputs.items()}).logits
        rounding.assert_close(model(**inputs).logits, expected)
        rounding.assert_close(model(**inputs).logits, expected, rounding.of_model(model))
        for parameter in decoder_of(model).layers[1].self_attn.parameters():
            parameter += 1e-2 * torch.randn_like(parameter)  # of weights of about 0.25
        with pytest.raises(AssertionError, match="not close"):
            rounding.assert_close(model(**inputs).logits, expected)


def test_the_zoo_is_no_deeper_and_no_wider_than_its_bound_says():
    sizes = [rounding.size(zoo.build(family)[0]) for family in (*zoo.FAMILIES, *zoo.ALSO)]
    assert rounding.relative(max(depth for depth, _ in sizes), max(width for _, width in sizes)) == rounding.ZOO


def test_the_bound_is_a_share_of_the_largest_number_and_of_one_at_least():
    assert rounding.bound([0.1, -200.0, float("-inf"), float("nan")], 1e-3) == pytest.approx(0.2)
    assert rounding.bound(torch.tensor([0.1]), 1e-3) == rounding.bound([], 1e-3) == 1e-3
    nothing = float("nan")
    rounding.assert_close([1.0, nothing], [1.0 + 1e-6, nothing])
    for other in ([1.001, nothing], [1.0, 0.0], [nothing, nothing]):
        with pytest.raises(AssertionError, match="here"):
            rounding.assert_close(other, [1.0, nothing], told="here")
