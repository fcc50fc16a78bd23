"""One thing that the doctor looked at, and what was found."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from kvsmooth.errors import NothingSmoothed


@dataclass(frozen=True)
class Finding:
    """A line of the doctor's.

    Attributes
    ----------
    what : was looked at
    told : what was seen, or what is wrong and what to do
    state : "no": it is not there or not supported, and most can do without
    """

    what: str
    told: str
    state: Literal["ok", "no", "broken"] = "ok"


def tried(what: str, attempt: Callable[[], str], essential: bool = True) -> Finding:
    """What an attempt says, or why it failed.

    Parameters
    ----------
    essential : without it the rest is worth nothing, so a failure is "broken" and not "no"
    """
    try:
        return Finding(what, attempt())
    except (ValueError, NothingSmoothed) as error:  # refusals: ours, and those of libraries that are meant to be read
        told = first_line(error)
    except Exception as error:  # each model and library has errors of its own
        told = f"{type(error).__name__}: {first_line(error)}"
    return Finding(what, told, "broken" if essential else "no")


def first_line(error: BaseException) -> str:
    """The first line of what an error says; its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
