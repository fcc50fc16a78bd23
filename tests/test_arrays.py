"""An annotation that has taken an array before says of the next one what jaxtyping says, and remembers the same sizes."""

import numpy as np
import pytest
import torch
from jaxtyping import AnnotationError, Bool, Float, Int
from jaxtyping._storage import get_shape_memo, pop_shape_memo, push_shape_memo
from torch import Tensor

from tests import arrays

KINDS = (Float, Int, Bool)
SHAPES = (
    "row *between row",
    "2 *between 3",
    "row column",
    "2 column",
    "*batch column",
    "row *rest 3",
    "#row column",
    "*#rest row",
    "_ 3",
    "...",
    "row row",
    "row+1 row",
    "",
)
VALUES = [
    kind(shape)
    for shape in ((), (2,), (3,), (2, 3), (3, 3), (4, 3), (1, 3), (5, 2, 3))
    for kind in (
        torch.ones,
        torch.Tensor.bfloat16(torch.ones(1)).new_ones,
        torch.ones(1).long().new_ones,
        torch.ones(1).bool().new_ones,
        np.ones,
        lambda shape: np.ones(shape, np.int32),
    )
]
OTHERS = (None, 1.0, [1.0], "row")


def said(check, annotation, values):
    """Of each value in turn, within one call of a function: the answer, or the error, and the sizes that are remembered then."""
    push_shape_memo({})
    told = []
    try:
        for value in values:
            try:
                answer = check(annotation, value)
            except AnnotationError as error:  # of a size that no array has told yet
                answer = str(error)
            told.append((answer, *map(dict, get_shape_memo()[:2])))
            if isinstance(answer, str):
                break
        return told
    finally:
        pop_shape_memo()


@pytest.mark.parametrize("array", [Tensor, np.ndarray])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("shape", SHAPES)
def test_it_answers_and_remembers_as_jaxtyping_does(array, kind, shape):
    annotation, draw = kind[array, shape], np.random.default_rng(0)
    for _ in range(30):
        values = [(*VALUES, *OTHERS)[index] for index in draw.choice(len(VALUES) + len(OTHERS), 4)]
        assert said(arrays.of_annotation, annotation, values) == said(arrays._usual, annotation, values)


def test_the_tests_check_by_it():
    assert type(Float[Tensor, "row"]).__instancecheck__ is arrays.of_annotation
    row = Float[Tensor, "row"]
    assert isinstance(torch.ones(2), row)
    assert (row, Tensor, torch.float32) in arrays._taken
    assert not isinstance(torch.ones(2).long(), row)
    assert not isinstance(torch.ones(2, 1), row)
