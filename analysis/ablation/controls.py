"""What the controls show, a bullet a family: which cells move CHAIR, by corrected tests, and the numbers that carry it."""

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.ablation.panels import LABELS
from analysis.ablation.rivals_told import rivals_bullet
from analysis.ablation.verdict import GUIDED
from analysis.cells.names import BASELINE, PAPER, WITHOUT_FIRST
from analysis.question.question import by_name
from analysis.telling.wording import Rows, bracketed, direction, listed

CARRY = ("mean", "position", "inverse")
"""Those whose numbers are told: the amount alone, the step alone, the opposite order."""
MIXES = ("norm_preserving", "shrink_only", "random_direction", "running_mean")
_CHAIR = ("chair_i", "chair_s")
_MOVES = {1: "raised", -1: "lowered", 0: "not clearly changed"}
MOST = 3
"""Cells that are told one by one; of more, the two ends."""


def shown(found: Mapping[str, Any], other: Mapping[str, Any] | None = None) -> list[str]:
    """Markdown bullets; families without cells have none.

    Parameters
    ----------
    found : the results file
    other : that of the ladder round another centre
    """
    rows = by_name(found["results"])
    families: dict[str, list[str]] = {}
    for cell in found["cells"]:
        families.setdefault(cell["family"], []).append(cell["name"])
    detectors = families.get("detectors", [])
    detectors = detectors if detectors != [WITHOUT_FIRST] else []  # it has a bullet of its own
    made = {
        "KVSmooth itself": itself(rows, families.get("ladder", [])),
        "Guidance": guidance(rows),
        **({_round(other): _other(by_name(other["results"]))} if other else {}),
        "The first token in the score": first_token(rows),
        "What is mixed": moved(rows, MIXES),
        "Places": _joined(moved(rows, families.get("places", [])), _interaction(rows)),
        "Constant rates": moved(rows, [name for name in families.get("dose", []) if name.startswith("constant ")]),
        "Other centres": moved(rows, [name for name in families.get("dose", []) if not name.startswith("constant ")]),
        "Layers": moved(rows, families.get("layers", [])),
        "Detectors in the entropy's place": moved(rows, detectors),
        "Options": moved(rows, families.get("options", [])),
        "Broken text, and leaving out": rivals_bullet(rows, [cell["name"] for cell in found["cells"]]),
    }
    return [f"* **{title}.** {text}" for title, text in made.items() if text]


def itself(rows: Rows, ladder: Sequence[str]) -> str:
    """KVSmooth minus no smoothing, and how many of its controls do the same to CHAIR_i."""
    own = _minus(rows, PAPER)
    if "chair_i" not in own:
        return ""
    told = [
        f"{LABELS[name]} {bracketed(own[name])}" for name in ("chair_i", "chair_s", "chair_i_matched", "length", "looping") if name in own
    ]
    text = f"Minus no smoothing: {'; '.join(told)}."
    others = [_minus(rows, name).get("chair_i") for name in ladder if name != PAPER]
    tested = [row for row in others if row is not None]
    way = direction(own["chair_i"])
    if tested and way:
        same = sum(direction(row) == way for row in tested)
        text += f" CHAIR_i is {_MOVES[way]} by {same} of its {len(tested)} controls in the ladder too."
    return text


def guidance(rows: Rows) -> str:
    """From which controls of the guidance KVSmooth is told apart, in either primary outcome."""
    said = []
    for measure in _CHAIR:
        against = {name: rows[key] for name in GUIDED if (key := f"{PAPER} - {name}/{measure}") in rows}
        if not against:
            continue

        def named(names: Sequence[str], against: Mapping[str, Any] = against, numbers: bool = measure == "chair_i") -> str:
            return listed([_told(name, against[name]) if numbers and name in CARRY else f"`{name}`" for name in names])

        groups = {way: [name for name, row in against.items() if direction(row) == way] for way in (-1, 1, 0)}
        parts = [f"{word} than that of {named(groups[way])}" for way, word in ((-1, "lower"), (1, "higher")) if groups[way]]
        if len(groups[0]) == len(against):
            parts = [f"not told apart from that of any of these {len(against)} controls"]
        elif groups[0]:
            parts.append(f"not told apart from that of {named(groups[0])}")
        said.append(f"{LABELS[measure]} of KVSmooth is {'; '.join(parts)}")
    return f"{'. '.join(said)}." if said else ""


def first_token(rows: Rows) -> str:
    """What changes where the sequence's first token, the usual sink, is left out of the entropy that scores."""
    own, pair = _minus(rows, WITHOUT_FIRST), f"{PAPER} - {WITHOUT_FIRST}"
    against = {name: rows[key] for name in (*_CHAIR, "recall", "length") if (key := f"{pair}/{name}") in rows}
    if not own or not against:
        return ""
    each = [f"{LABELS[name]} {bracketed(own[name])}" for name in (*_CHAIR, "recall")]
    apart = [f"{LABELS[name]} {bracketed(row)}{'' if direction(row) else ' (not told apart)'}" for name, row in against.items()]
    return f"Left out (`{WITHOUT_FIRST}`), minus no smoothing: {'; '.join(each)}. KVSmooth minus that: {'; '.join(apart)}."


def moved(rows: Rows, cells: Sequence[str]) -> str:
    """What cells do to CHAIR_i against no smoothing, and what those that lower CHAIR_i or CHAIR_s do to recall and repetition."""
    against = {name: row for name in cells if (row := _minus(rows, name).get("chair_i")) is not None}
    if not against:
        return ""
    groups = {way: {name: row for name, row in against.items() if direction(row) == way} for way in (1, -1, 0)}
    said = [f"{_MOVES[way]} by {_ends(group, len(against), way != 0)}" for way, group in groups.items() if group]
    return _joined(f"CHAIR_i is {'; '.join(said)}.", _price(rows, list(against)))


def _ends(group: Rows, of: int, numbers: bool) -> str:
    """Every cell of a small group with its number; of a large one how many they are, the lowest and the highest."""
    count = f"all {of}" if len(group) == of else f"{len(group)} of {of}"
    if len(group) <= MOST:
        return listed([_told(name, row) if numbers or len(group) == 1 else f"`{name}`" for name, row in group.items()])
    if not numbers:
        return count
    low, high = (choose(group, key=lambda name: group[name]["estimate"]) for choose in (min, max))
    return f"{count}, from `{low}` ({bracketed(group[low])}) to `{high}` ({bracketed(group[high])})"


def _price(rows: Rows, cells: Sequence[str]) -> str:
    """Of the cells that lower CHAIR: whether recall falls as well and captions loop, and what the one does that lowers CHAIR_s furthest."""
    lower = {name: own for name in cells if any(direction((own := _minus(rows, name)).get(measure)) == -1 for measure in _CHAIR)}
    if not lower:
        return ""
    name, own = min(lower.items(), key=lambda item: item[1]["chair_s"]["estimate"])
    does = []
    for way, word, measures in ((-1, "lowers", (*_CHAIR, "recall")), (1, "raises", (*_CHAIR, "repeated_mentions", "looping"))):
        if chosen := [f"{LABELS[measure]} ({bracketed(own[measure])})" for measure in measures if direction(own.get(measure)) == way]:
            does.append(f"{word} {listed(chosen)}")
    told = f"`{name}` {' and '.join(does)}."
    if len(lower) == 1:
        return told
    lost, loop = (
        sum(direction(other.get(measure)) == way for other in lower.values()) for measure, way in (("recall", -1), ("looping", 1))
    )
    counts = [str(count) if count < len(lower) else "all" for count in (lost, loop)]
    text = f", and {counts[1]} make more captions loop" if loop else ""
    return f"{len(lower)} lower CHAIR_i or CHAIR_s, {counts[0]} of them recall too{text}: {told}"


def _interaction(rows: Rows) -> str:
    row = rows.get("keys x values/interaction/chair_i")
    return "" if row is None else f"Keys and values together, beyond the sum of both: {bracketed(row)} (not tested)."


def _round(other: Mapping[str, Any]) -> str:
    return f"Guidance round `lambda_ref` {other['provenance']['base']['lambda_ref']:g}"


def _other(rows: Rows) -> str:
    own = _minus(rows, PAPER)
    told = [f"{LABELS[name]} {bracketed(own[name])}{'' if direction(own[name]) else ' (not clear)'}" for name in _CHAIR if name in own]
    return _joined(f"Minus no smoothing: {'; '.join(told)}." if told else "", guidance(rows))


def _minus(rows: Rows, cell: str) -> dict[str, Mapping[str, Any]]:
    """A cell's differences to no smoothing, by measure."""
    return {name: rows[key] for name in LABELS if (key := f"{cell} - {BASELINE}/{name}") in rows}


def _told(name: str, row: Mapping[str, Any]) -> str:
    return f"`{name}` ({bracketed(row)})"


def _joined(*parts: str) -> str:
    return " ".join(part for part in parts if part)
