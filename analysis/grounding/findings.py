"""What grounding.json says, in words: at which dose, if any, smoothing lowers CHAIR without breaking the text."""

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.captions.measures import MEASURES, PRIMARY
from analysis.telling.wording import Rows, bracketed, direction, listed, page, signed

READ = {"nll": "NLL (nat a token)", "broken": "broken"}
"""Of the captions that a language model read; columns are there where one did."""
SHOWN = ("chair_s", "chair_i", "recall", "f1", "repeated_4grams", "looping", "length")


def verdict(points: Sequence[str], doses: Sequence[float], rows: Rows) -> str:
    """By point: doses that lower CHAIR by the corrected test, which of them cost no recall and no repetition, and doses that raise it.

    CHAIR is lower where CHAIR_s or CHAIR_i is and the other is not higher.
    """
    said = []
    for point in points:
        ways = {dose: {_way(rows, point, name, dose) for name in PRIMARY} for dose in doses if dose}
        lowered, raised, apart = ([dose for dose, way in ways.items() if way - {0} == only] for only in ({-1}, {1}, {-1, 1}))
        told = [
            f"CHAIR is lower at lambda_ref {_listed(lowered)}{_cost(rows, point, lowered)}"
            if lowered
            else "no dose lowers CHAIR for certain"
        ]
        if raised:
            told.append(f"it is higher at {_listed(raised)}")
        if apart:
            told.append(f"CHAIR_s and CHAIR_i go opposite ways at {_listed(apart)}")
        said.append(f"at {point} {listed(told)}")
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]}."


def paragraph(points: Sequence[str], doses: Sequence[float], rows: Rows, found: Mapping[str, Any]) -> str:
    """The question's part of the page; every number is read from the results."""
    origin = found["provenance"]
    asked = (
        "Asked: when does smoothing help? The same model at points of its training, or trained anew; each describes the same "
        f"{origin['n']} scenes at each dose (the paper's rule, greedy, at most {origin['config']['max_new_tokens']} tokens). What is "
        "lowered by a text that repeats itself or says less is no better seeing: repetition, length and recall stand beside CHAIR."
    )
    read = [row["n"] for point in points if (row := rows.get(f"{point}/broken/0")) is not None]
    shown = {name: MEASURES[name].label for name in SHOWN} | (READ if read else {})
    lines = [f"| point | lambda_ref | {' | '.join(shown.values())} |", "|---" * (len(shown) + 2) + "|"]
    for point in points:
        for dose in doses:
            found_here = [rows.get(f"{point}/{name}/{dose:g}") for name in shown]
            cells = ["–" if row is None else bracketed(row) for row in found_here]
            lines.append(f"| {point} | {signed(dose) if dose else '0'} | {' | '.join(cells)} |")
    note = (
        f"`python -m analysis.grounding`. Brackets: {100 * origin['config']['level']:.4g} % cluster BCa interval over images; tests: "
        "exchange of the arms within images, CHAIR by max-T over doses, points and both measures, the rest by Holm. "
        "Figure: `figures/emoji/grounding/`."
    )
    if read:
        note += (
            f" NLL and broken, by Holm at each point: of {listed([f'{n}' for n in sorted({*read})])} captions of each cell, read by a "
            "language model that saw no image; broken are those that loop or cost it more a token than 99 in 100 of the same point's "
            "without smoothing."
        )
    return page(verdict(points, doses, rows), asked, "\n".join(lines), note)


def summary(points: Sequence[str], doses: Sequence[float], rows: Rows) -> str:
    """What a person reads at the end of a run."""
    lines = []
    for point in points:
        for dose in doses:
            lines.append(
                f"{point:8} {dose:5g}  " + "  ".join(f"{name} {rows[f'{point}/{name}/{dose:g}']['estimate']:.3f}" for name in MEASURES)
            )
    return "\n".join([verdict(points, doses, rows), *lines])


def _cost(rows: Rows, point: str, lowered: Sequence[float]) -> str:
    free = [dose for dose in lowered if _way(rows, point, "repeated_4grams", dose) < 1 and _way(rows, point, "recall", dose) > -1]
    if not free:
        return " (always with more repeated 4-grams or less recall)"
    at = "" if free == lowered else f"at {_listed(free)} alone "
    return f" ({at}with neither more repeated 4-grams nor less recall for certain)"


def _listed(doses: Sequence[float]) -> str:
    return listed([f"{dose:g}" for dose in doses])


def _way(rows: Rows, point: str, measure: str, dose: float) -> int:
    return direction(rows[f"{point}/{measure}/{dose:g} - 0"])
