"""Shapes and types in every test, as jaxtyping checks them, for less of its time.

The option `--jaxtyping-packages` decorates every function of the rooms. jaxtyping's decorator binds the arguments to their names, and has
them checked before the call and once more together with the result: a quarter of what the tests of kvsmooth took. With `lighten`, a
function without an array in its signature meets beartype alone, and of one with arrays the arguments are checked once; which size a
name stands for is known when the result is looked at.
"""

from collections.abc import Callable
from functools import partial
from types import FunctionType
from typing import Any, ForwardRef, get_args

import jaxtyping
from beartype import BeartypeConf, beartype

_usual = jaxtyping.jaxtyped
_plain = beartype(conf=BeartypeConf(violation_type=TypeError))
"""What jaxtyping raises is a TypeError, as Python's own refusal of a wrong argument is; code that catches one meets the same here."""


def lighten() -> None:
    """Before any module of the rooms is imported."""
    jaxtyping.jaxtyped = checked


def checked(function: Any = None, *, typechecker: Any = beartype) -> Any:
    """The function, or the class, with its checks; the decorator that the option puts on each."""
    if function is None:
        return partial(checked, typechecker=typechecker)
    if isinstance(function, FunctionType) and not any(map(_of_arrays, function.__annotations__.values())):
        return _plain(function)
    return _usual(function, typechecker=_once)


def _of_arrays(hint: Any) -> bool:
    """Whether a hint names an array, or may: a name in quotes is told by jaxtyping alone."""
    if isinstance(hint, list):  # the arguments of a Callable
        return any(map(_of_arrays, hint))
    named = isinstance(hint, str | ForwardRef) or (isinstance(hint, type) and issubclass(hint, jaxtyping.AbstractArray))
    return named or any(map(_of_arrays, get_args(hint)))


def _once(stand_in: Callable) -> Callable:
    """Checks of one of the two functions that jaxtyping calls in a function's place: its arguments before, its result after."""
    result = stand_in.__annotations__.get("return", Any)
    if result is not Any:  # of the arguments it is told by `Any`
        stand_in.__annotations__ = {"return": result}
    return beartype(stand_in)
