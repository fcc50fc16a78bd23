"""One result a row: what was estimated, how sure, by which test, out of how many tests; and the file that holds the rows."""

import json
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from probes.command.strict_json import json_text

DIGITS = 6
"""Significant ones of a fraction in a results file."""
ROLES = ("primary", "exploratory", "descriptive")


@dataclass(frozen=True)
class Row:
    """One number of a results file.

    Attributes
    ----------
    name : unique within the file, such as "replay/entropy/difference/layer 4"
    estimate, interval, unit : the number, its confidence limits (NaN where it has none) and what it is measured in
    n : images behind it
    test, p : which test of which hypothesis, and its p-value
    p_adjusted, adjustment : corrected over a family; the correction's name with the family and its size
    effect : standardised effect sizes and other locations, by name
    role : "primary" (named in advance), "exploratory", or "descriptive" (not tested)
    where : regime, quantity, contrast, layer: what the row is about, for those who filter
    reason : why something above is NaN; "" otherwise
    """

    name: str
    estimate: float
    unit: str
    n: int
    interval: tuple[float, float] = (math.nan, math.nan)
    test: str = ""
    p: float = math.nan
    p_adjusted: float = math.nan
    adjustment: str = ""
    effect: Mapping[str, float] = field(default_factory=dict)
    role: str = "exploratory"
    where: Mapping[str, Any] = field(default_factory=dict)
    reason: str = ""

    def __post_init__(self):
        if self.role not in ROLES:
            raise ValueError(f"Row.role must be one of {', '.join(ROLES)}; got {self.role!r}.")


def as_json(rows: Iterable[Row], provenance: Mapping[str, Any], **more: Any) -> str:
    """The text of a results file: strict JSON (NaN is null), six significant digits, the same bytes for the same numbers.

    Raises
    ------
    ValueError : two rows of one name
    """
    rows = list(rows)
    names = [row.name for row in rows]
    twice = sorted({name for name in names if names.count(name) > 1}) if len(set(names)) < len(names) else []
    if twice:
        raise ValueError(f"as_json.rows must have different names; got {twice[0]!r} twice.")
    listed = {"results": list(rows)} | {name: value for name, value in more.items() if isinstance(value, list)}
    told = {"provenance": provenance} | {name: value for name, value in more.items() if not isinstance(value, list)}
    parts = [f' "{name}": [\n  ' + ",\n  ".join(map(_line, values)) + "\n ]" for name, values in listed.items()]
    parts += [json_text({name: value}, digits=DIGITS, indent=1, sort_keys=True)[1:-1].strip("\n") for name, value in told.items()]
    return "{\n" + ",\n".join(parts) + "\n}\n"


def _line(item: Any) -> str:
    return json_text(item, digits=DIGITS)


def read_json(path: str | Path) -> dict[str, Any]:
    """A results file as nested dictionaries and lists."""
    return json.loads(Path(path).read_text(encoding="utf-8"))
