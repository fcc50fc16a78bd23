"""Values from callers that no type checker has seen: whole numbers, Python's and numpy's alike, and texts. None is rounded or mended."""

import operator
from collections.abc import Iterable
from typing import Any

import numpy as np

from probes.command.cli import BadInput

LARGEST = 2**63 - 1
"""Of the numbers that files of results and recordings can hold."""


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
    try:
        # whatever counts, numpy's integers too, can be an index; a float cannot
        number = None if isinstance(value, bool | np.bool_) else operator.index(value)
    except TypeError:
        number = None
    if number is None or number < least:
        law = {0: "an integer from 0 on", 1: "a positive integer"}.get(least, f"an integer from {least} on")
        raise BadInput(f"{name} must be {law}; got {value!r}{where and f' ({where})'}.")
    if number > most:
        raise BadInput(f"{name} must be at most {most}; got {number}{where and f' ({where})'}.")
    return number


def whole_tokens(tokens: Iterable[Any], name: str, most: int = LARGEST, where: str = "") -> list[int]:
    """Token ids as Python's ints.

    Raises
    ------
    BadInput : one is no integer from 0 to `most`
    """
    return [whole(token, name, most=most, where=where) for token in tokens]


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
