"""One-sentence conclusion from ablation.json: does KVSmooth lower hallucination, and is guidance by entropy the cause?"""

from analysis.cells.names import BASELINE, PAPER
from analysis.telling.wording import Rows, direction, while_looping

GUIDED = ("mean", "permuted", "shifted", "swapped", "inverse", "random", "position", "token_class", "permuted together", "shifted together")
"""Controls of which rate a token gets, at about the paper's mean rate; guidance must be told from each."""
_DOES = {-1: "lowers", 0: "does not clearly change", 1: "raises"}


def verdict(rows: Rows) -> str:
    """One sentence, by corrected tests; without the reference's own cell, which is said."""
    if f"{PAPER}/chair_i" not in rows:
        return "The paper's cell is not among these: nothing is said of KVSmooth itself."
    changes = _changes(*(direction(rows.get(f"{PAPER} - {BASELINE}/{name}")) for name in ("chair_i", "chair_s", "f1")))
    changes += while_looping(*(rows.get(name) for name in (f"{PAPER} - {BASELINE}/looping", f"{BASELINE}/looping", f"{PAPER}/looping")))
    against = {name: rows.get(f"{PAPER} - {name}/chair_i") for name in GUIDED}
    against = {name: row for name, row in against.items() if row is not None}
    if not against:
        return f"KVSmooth {changes}; no control of its guidance was run."
    better = [name for name, row in against.items() if direction(row) == -1]
    shown = "shown" if len(better) == len(GUIDED) else "not shown"
    told = f" ({', '.join(better).replace('_', ' ')})" if better else ""
    return (
        f"KVSmooth {changes}; guidance by entropy is {shown}: CHAIR_i is lower than that of {len(better)} of {len(against)} controls that "
        f"spend the same rates without it{told}."
    )


def _changes(chair_i: int, chair_s: int, f1: int) -> str:
    """What moves in which way, each verb said once, such as: raises CHAIR_i and CHAIR_s, lowers F1."""
    groups: dict[int, list[str]] = {}
    for name, way in (("CHAIR_i", chair_i), ("CHAIR_s", chair_s), ("F1", f1)):
        groups.setdefault(way, []).append(name)
    return ", ".join(f"{_DOES[way]} {' and '.join(names)}" for way, names in groups.items())
