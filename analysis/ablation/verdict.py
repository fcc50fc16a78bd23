"""One-sentence conclusion from ablation.json: does KVSmooth lower hallucination, and is guidance by entropy the cause?"""

from analysis.cells.names import BASELINE, PAPER
from analysis.telling.wording import Rows, direction, listed, while_looping

GUIDED = ("mean", "permuted", "shifted", "swapped", "inverse", "random", "position", "token_class", "permuted together", "shifted together")
"""Controls of which rate a token gets, at about the paper's mean rate; guidance must be told from each."""
_DOES = {-1: "lowers", 0: "does not clearly change", 1: "raises"}


def verdict(rows: Rows, other: Rows | None = None, centre: float = 0.5) -> str:
    """One sentence, by corrected tests; without the reference's own cell, which is said.

    Parameters
    ----------
    other, centre : rows of a ladder round another centre, and that centre
    """
    if f"{PAPER}/chair_i" not in rows:
        return "The paper's cell is not among these: nothing is said of KVSmooth itself."
    changes = _changes(*(direction(rows.get(f"{PAPER} - {BASELINE}/{name}")) for name in ("chair_i", "chair_s", "f1")))
    changes += while_looping(*(rows.get(name) for name in (f"{PAPER} - {BASELINE}/looping", f"{BASELINE}/looping", f"{PAPER}/looping")))
    better, worse = _against(rows)
    if not better + worse:
        return f"KVSmooth {changes}; no control of its guidance was run."
    shown = "shown" if len(better) == len(GUIDED) else "not shown"
    told = f" ({', '.join(better).replace('_', ' ')})" if better else ""
    found = (
        f"KVSmooth {changes}; guidance by entropy is {shown}: CHAIR_i is lower than that of {len(better)} of {len(better + worse)} "
        f"controls that spend about the same rates without it{told}"
    )
    lower, rest = _against(other or {})
    if lower + rest:
        left = f", not of {listed([name.replace('_', ' ') for name in rest])}" if rest and lower else ""
        found += f"; round a centre of {centre:g}, of {len(lower)} of {len(lower + rest)}{left}"
    return f"{found}."


def _against(rows: Rows) -> tuple[list[str], list[str]]:
    """Controls of the guidance that were run: those that KVSmooth's CHAIR_i is lower than, and the others."""
    run = {name: row for name in GUIDED if (row := rows.get(f"{PAPER} - {name}/chair_i")) is not None}
    lower = [name for name, row in run.items() if direction(row) == -1]
    return lower, [name for name in run if name not in lower]


def _changes(chair_i: int, chair_s: int, f1: int) -> str:
    """What moves in which way, each verb said once, such as: raises CHAIR_i and CHAIR_s, lowers F1."""
    groups: dict[int, list[str]] = {}
    for name, way in (("CHAIR_i", chair_i), ("CHAIR_s", chair_s), ("F1", f1)):
        groups.setdefault(way, []).append(name)
    return ", ".join(f"{_DOES[way]} {' and '.join(names)}" for way, names in groups.items())
