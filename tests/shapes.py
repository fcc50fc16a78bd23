"""Shapes and types in every test, as jaxtyping checks them, for less of its time.

The option `--jaxtyping-packages` decorates every function of the rooms. jaxtyping's decorator binds the arguments to their names, and has
them checked before the call and once more together with the result: a quarter of what the tests of kvsmooth took. With `lighten`, a
function meets beartype alone; around one with arrays in its signature jaxtyping remembers which size a name stands for, from the arguments
to the result. What it does more for is left to it: annotations in quotes, sizes that an argument gives, and generators. A function within
another that names no array stays as it is.
"""

import dataclasses
import inspect
from collections.abc import Callable
from functools import partial, wraps
from importlib.machinery import SourceFileLoader
from types import FunctionType, ModuleType
from typing import Any, ForwardRef, get_args

import jaxtyping
from beartype import BeartypeConf, beartype
from jaxtyping import TypeCheckError
from jaxtyping._import_hook import _JaxtypingLoader
from jaxtyping._storage import pop_shape_memo, push_shape_memo, shape_str

_usual = jaxtyping.jaxtyped
_plain = beartype(conf=BeartypeConf(violation_type=TypeError))
"""What jaxtyping raises is a TypeError, as Python's own refusal of a wrong argument is; code that catches one meets the same here."""
_of_sizes = beartype(conf=BeartypeConf(violation_type=TypeCheckError))


def lighten() -> None:
    """Before any module of the rooms is imported."""
    jaxtyping.jaxtyped = checked
    for name in ("exec_module", "get_data", "_cache_bytecode"):
        setattr(_JaxtypingLoader, name, vars(Apart)[name])


class Apart(SourceFileLoader):
    """Keeps the bytecode of decorated modules in files of its own, beside the plain ones.

    jaxtyping's loader has importlib call them otherwise while it loads a module. Two threads that load at once undo each other's call, and
    decorated code is written where plain code belongs; a process without the option then ends with a KeyError in its first import.
    """

    _typechecker: Any

    def exec_module(self, module: ModuleType) -> None:
        """Load, with importlib as it is."""
        SourceFileLoader.exec_module(self, module)

    def get_data(self, path: str) -> bytes:
        """Of the source, or of the bytecode beside the plain one."""
        return SourceFileLoader.get_data(self, _apart(path, self._typechecker))

    def _cache_bytecode(self, source_path: str, bytecode_path: str, data: bytes) -> None:
        SourceFileLoader._cache_bytecode(self, source_path, _apart(bytecode_path, self._typechecker), data)


def _apart(path: str, typechecker: Any) -> str:
    """A file of bytecode by the name that belongs to these checks; any other as it is."""
    return f"{path.removesuffix('.pyc')}.checked-{typechecker.get_hash()}.pyc" if path.endswith(".pyc") else path


def checked(function: Any = None, *, typechecker: Any = beartype) -> Any:
    """The function, or the class, with its checks; the decorator that the option puts on each."""
    if function is None:
        return partial(checked, typechecker=typechecker)
    if isinstance(function, type) and dataclasses.is_dataclass(function):
        made = vars(function).get("__init__")
        if isinstance(made, FunctionType) and not hasattr(made, "__wrapped__"):  # else a method, which is decorated already
            function.__init__ = checked(made)
        return function
    if isinstance(function, FunctionType):
        hints = list(function.__annotations__.values())
        if not any(map(_of_arrays, hints)):
            # made anew by each call of the function around it, which takes beartype a millisecond each time
            return function if "<locals>" in function.__qualname__ else _plain(function)
        if not any(map(_of_more, hints)) and not inspect.isgeneratorfunction(function) and not inspect.iscoroutinefunction(function):
            return _sized(function)
    return _usual(function, typechecker=_once)


def _of_arrays(hint: Any) -> bool:
    """Whether a hint names an array, or may: a name in quotes is told by jaxtyping alone."""
    if isinstance(hint, list):  # the arguments of a Callable
        return any(map(_of_arrays, hint))
    named = isinstance(hint, str | ForwardRef) or (isinstance(hint, type) and issubclass(hint, jaxtyping.AbstractArray))
    return named or any(map(_of_arrays, get_args(hint)))


def _of_more(hint: Any) -> bool:
    """Whether a hint has a name in quotes, or a size that jaxtyping computes from an argument."""
    if isinstance(hint, list):
        return any(map(_of_more, hint))
    named = isinstance(hint, str | ForwardRef) or (isinstance(hint, type) and "{" in getattr(hint, "dim_str", ""))
    return named or any(map(_of_more, get_args(hint)))


def _sized(function: FunctionType) -> Callable:
    """The function with its checks; within a call of it a name stands for one size."""
    checks = _of_sizes(function)

    @wraps(function)
    def sized(*args: Any, **kwargs: Any) -> Any:
        __tracebackhide__ = True
        sizes = push_shape_memo({})
        try:
            return checks(*args, **kwargs)
        except TypeCheckError as error:
            if not hasattr(error, "__notes__"):
                error.add_note(shape_str(sizes))
            raise
        finally:
            pop_shape_memo()

    return sized


def _once(stand_in: Callable) -> Callable:
    """Checks of one of the two functions that jaxtyping calls in a function's place: its arguments before, its result after."""
    result = stand_in.__annotations__.get("return", Any)
    if result is not Any:  # of the arguments it is told by `Any`
        stand_in.__annotations__ = {"return": result}
    return beartype(stand_in)
