"""Under the table of CHAIR: does a method do what leaving out of the baseline's captions cannot?"""

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.benchmark.grid import cell, change, grid
from analysis.benchmark.names import BASELINE
from analysis.metrics.chair import MEASURES
from analysis.telling.wording import LEVEL, listed, p_value

TOLD = ("chair_s", "chair_i")
"""Below 0 is better of both."""
HEAD = (
    "How far from leaving out: {measures} less those of the nearest omission line at the same recall (percentage points), on the {images} "
    "images that every method answered. A line is what dropping mentions or sentences of {baseline}'s captions would give: at random, late "
    "ones first, those of the background first, or those at the worst places first; no dropping raises recall, so a method with more of it "
    "is compared with {baseline} as it is. **Only a method that is beyond every line is shown to do more against hallucination than saying "
    "less would.** Beyond: corrected p below {level:g}. p: the largest of the lines' tests, 1 where a line is not passed; corrected by "
    "Holm over methods."
)
Found = Mapping[str, Any]


def omission_told(rows: Mapping[str, Found], methods: Sequence[str]) -> list[str]:
    """What the lines are, and a row a method: its distances to the nearest one, and whether it is beyond all; nothing without such results.

    Parameters
    ----------
    rows : of benchmark.json, by name
    methods : all but the baseline
    """
    held = {name: [rows[f"{name}/beyond every line/{measure}"] for measure in TOLD] for name in methods if _known(rows, name)}
    if not held:
        return []
    images = next(iter(held.values()))[0]["n"]
    names = [MEASURES[measure].title for measure in TOLD]
    head = HEAD.format(measures=listed(names), images=f"{images:,}", baseline=BASELINE, level=LEVEL)
    columns = ["method", *(text for measure in TOLD for text in (MEASURES[measure].heading, "p corrected")), "beyond every line"]
    return [head, grid(columns, [[cell(name), *_distances(near), _verdict(near, names)] for name, near in held.items()])]


def _known(rows: Mapping[str, Found], name: str) -> bool:
    return all(f"{name}/beyond every line/{measure}" in rows for measure in TOLD)


def _distances(near: Sequence[Found]) -> list[str]:
    return [text for row in near for text in (change(row, row["unit"]), p_value(row["p_adjusted"], ""))]


def _verdict(near: Sequence[Found], names: Sequence[str]) -> str:
    """In which measures; a p below the level is there only where every line is passed."""
    if any(row["estimate"] is None for row in near):
        return "undefined"
    beyond = [name for row, name in zip(near, names, strict=True) if row["p_adjusted"] is not None and row["p_adjusted"] < LEVEL]
    return "yes" if len(beyond) == len(names) else f"in {listed(beyond)} alone" if beyond else "no"
