"""Values from callers that no type checker has seen: whole numbers, Python's and numpy's alike, and texts. None is rounded or mended."""

import operator
from collections.abc import Iterable
from numbers import Real
from pathlib import Path
from typing import Any

import numpy as np

from probes.command.cli import BadInput

TEMPERATURES = (1e-6, 1e6)
LARGEST = 2**63 - 1
"""Of the numbers that files of results and recordings can hold."""


def is_whole(value: Any) -> bool:
    """Whether it is an integer: Python's, numpy's or a tensor's, each of which can be an index; no float, and no truth value."""
    try:
        return not isinstance(value, bool | np.bool_) and operator.index(value) is not None
    except TypeError:
        return False


def whole(value: Any, name: str, least: int = 0, most: int = LARGEST, where: str = "") -> int:
    """`value` as Python's int.

    Parameters
    ----------
    name : of the option, as in "record.batch_size"
    least, most : bounds, themselves allowed
    where : which item, query or caption has it

    Raises
    ------
    BadInput : a float (also a whole one), a truth value, a text, or a number outside the bounds
    """
    if not is_whole(value) or value < least:
        law = {0: "an integer from 0 on", 1: "a positive integer"}.get(least, f"an integer from {least} on")
        raise BadInput(f"{name} must be {law}; got {value!r}{where and f' ({where})'}.")
    if value > most:
        raise BadInput(f"{name} must be at most {most}; got {value}{where and f' ({where})'}.")
    return operator.index(value)


def whole_tokens(tokens: Iterable[Any], name: str, most: int = LARGEST, where: str = "") -> list[int]:
    """Token ids as Python's ints.

    Raises
    ------
    BadInput : one is no integer from 0 to `most`
    """
    return [whole(token, name, most=most, where=where) for token in tokens]


def check_temperature(value: Any, name: str) -> None:
    """Refuse a temperature of sampling that float32 cannot divide logits by: outside the bounds a draw is the likeliest token, or uniform.

    Raises
    ------
    BadInput
    """
    coldest, hottest = TEMPERATURES
    number = isinstance(value, Real) and not isinstance(value, bool)
    if not (number and coldest <= value <= hottest):
        raise BadInput(f"{name} must lie from {coldest:g} to {hottest:g}; got {value!r}: for the likeliest token do not sample.")


def check_text(text: str, name: str) -> None:
    """Refuse a text that no file can hold: one with bytes that were no UTF-8, as a command line may bring.

    Raises
    ------
    BadInput
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise BadInput(f"{name} must be UTF-8; it is not at character {error.start + 1}: {text[:80]!r}.") from None


def given_text(path: Path, encoding: str = "utf-8") -> str:
    """The text of a file that the user names.

    Raises
    ------
    BadInput : a pipe or a device, which nobody may ever write into
    OSError, UnicodeDecodeError : as of any file
    """
    if path.exists() and not (path.is_file() or path.is_dir()):
        raise BadInput(f"{path}: this is a pipe or a device, which may never end; write it into a file first.")
    return path.read_text(encoding=encoding)
