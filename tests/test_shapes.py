"""Shapes and types of the rooms are checked while tests run: arguments, results, and sizes that share a name."""

import dataclasses
import importlib._bootstrap_external
import importlib.util
import sys
from collections.abc import Callable, Iterator
from typing import Any

import jaxtyping
import pytest
import torch
from jaxtyping import Float, TypeCheckError
from torch import Tensor

from kvsmooth.integers import whole
from kvsmooth.measures import row_entropy
from probes.subjects import Item
from tests.shapes import checked


@checked
def doubled(values: Float[Tensor, "row column"], times: int = 2) -> Float[Tensor, "row column"]:
    return {2: values * 2, 3: values[:1], 4: values.long()}[times]


@checked
def each(function: Callable[[Float[Tensor, " row"]], Tensor], values: list[Float[Tensor, "row 2"]]) -> int:
    return len(values)


@checked
def repeated(values: Float[Tensor, " row"], times: int) -> Float[Tensor, "{times} row"]:
    return values.repeat(3, 1)


@checked
def one_by_one(values: Float[Tensor, "row column"]) -> Iterator[Float[Tensor, " column"]]:
    yield from values


@checked
def counted(name: str, *more: int, last: float = 0.0) -> int:
    return len(more) if last else name


def test_an_argument_of_another_shape_or_kind_is_refused():
    assert doubled(torch.ones(2, 3)).shape == (2, 3)
    for wrong in (torch.ones(2), torch.ones(2, 3).long(), [[1.0]]):
        with pytest.raises(TypeCheckError, match="parameter"):
            doubled(wrong)
    with pytest.raises(TypeCheckError, match="parameter"):
        doubled(torch.ones(2, 3), "2")
    with pytest.raises(TypeCheckError, match="parameter"):
        each(torch.sum, [torch.ones(2, 3)])


def test_a_result_is_held_to_the_sizes_of_the_arguments():
    for times in (3, 4):
        with pytest.raises(TypeCheckError, match="return"):
            doubled(torch.ones(2, 3), times)
    assert doubled(torch.ones(1, 3), 3).shape == (1, 3), "of one row, one row is right"


def test_sizes_that_an_argument_gives_and_generators_are_checked():
    assert repeated(torch.ones(2), 3).shape == (3, 2)
    with pytest.raises(TypeCheckError, match="return"):
        repeated(torch.ones(2), 2)
    assert len(list(one_by_one(torch.ones(2, 3)))) == 2
    with pytest.raises(TypeCheckError, match="parameter"):
        one_by_one(torch.ones(2))


def test_a_refusal_tells_the_sizes_that_are_known():
    with pytest.raises(TypeCheckError) as refused:
        doubled(torch.ones(2, 3), 3)
    assert any("row=2" in note for note in refused.value.__notes__)


def test_a_function_without_arrays_is_checked_too():
    assert counted("a", 1, 2, last=1.0) == 2
    for words, options in ((("a",), {}), ((1,), {"last": 1.0}), (("a", "b"), {"last": 1.0})):
        with pytest.raises(Exception, match="violates type hint"):
            counted(*words, **options)


@checked
@dataclasses.dataclass(frozen=True)
class Pair:
    first: Float[Tensor, " row"]
    second: Float[Tensor, " row"]
    name: str = ""


def test_fields_of_a_class_are_checked_and_share_their_sizes():
    assert Pair(torch.ones(2), torch.zeros(2)).name == ""
    for wrong in ((torch.ones(2), torch.ones(3)), (torch.ones(2), [1.0]), (torch.ones(2), torch.ones(2), 3)):
        with pytest.raises(TypeCheckError, match="parameter"):
            Pair(*wrong)


def test_of_functions_within_functions_those_that_name_no_array_stay_as_they_are():
    """They are made anew at every call of the one around them, and to decorate one takes a millisecond."""

    def told(*args: Any, **kwargs: Any) -> Any:
        return args

    def silent(beam: Any) -> None:
        pass

    def named(number: int, rest: Any) -> None:
        pass

    def rowed(row: Float[Tensor, " row"], rest: Any) -> Any:
        return row

    assert all(checked(function) is function for function in (told, silent, named))
    with pytest.raises(Exception, match=r"[Tt]ype"):
        checked(rowed)("a", "b")


def test_the_rooms_are_checked():
    """Functions with arrays and without, and the fields of a class."""
    for wrong in (lambda: row_entropy(torch.ones(3, dtype=torch.long)), lambda: row_entropy([0.5, 0.5]), lambda: Item("one", None, 3)):
        with pytest.raises(Exception, match=r"[Tt]ype"):
            wrong()
    assert whole(3)
    assert all(hasattr(function, "__wrapped__") for function in (row_entropy, whole))


LOADED = """
import importlib._bootstrap_external
from jaxtyping import Float
from torch import Tensor

called = importlib._bootstrap_external.cache_from_source


def twice(values: Float[Tensor, " row"]) -> Float[Tensor, " row"]:
    return values * 2
"""


def test_checked_bytecode_never_lies_where_plain_bytecode_belongs(tmp_path, monkeypatch):
    """While a module is loaded importlib is as it is, so that another thread which loads at the same time writes nothing amiss."""
    (tmp_path / "loaded_here.py").write_text(LOADED)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    monkeypatch.setattr(sys, "pycache_prefix", None)
    plain = importlib._bootstrap_external.cache_from_source
    for _ in range(2):  # compiled, then read
        monkeypatch.delitem(sys.modules, "loaded_here", raising=False)
        with jaxtyping.install_import_hook("loaded_here", "beartype.beartype"):
            module = importlib.import_module("loaded_here")
        assert module.called is plain
        with pytest.raises(TypeCheckError):
            module.twice(torch.ones(2, 2))
        assert [path.name.split(".")[2].partition("-")[0] for path in (tmp_path / "__pycache__").iterdir()] == ["checked"]
    monkeypatch.delitem(sys.modules, "loaded_here")
    module = importlib.import_module("loaded_here")
    assert module.twice(torch.ones(2, 2)).shape == (2, 2), "without the hook nothing is checked"
