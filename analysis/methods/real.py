"""What real captions say of the same methods, beside what these do here at their sources' own settings."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from analysis.methods.strengths import named
from analysis.methods.trial import NONE
from analysis.published.tables import verdict_of
from analysis.question.question import by_name
from analysis.telling.wording import Rows, signed
from probes.command.cli import BadInput

REAL = Path("figures/published/published.json")
"""The results of `analysis.published`; in a folder without them nothing stands beside."""
LOGGED: Mapping[str, tuple[str, ...]] = {
    "pai": ("PAI",),
    "middle_layer": ("MiddleLayer (HGAI)",),
    "iat": ("IAT",),
    "adaiat": ("AdaIAT",),
    "vcd": ("VCD",),
    "deco": ("DeCo",),
    "opera": ("OPERA", "OPERA fast"),
}
"""By method, what logs of real captions call it."""
BEAMS = ("beam 5",)
"""Logs of beam search without a method."""


def beside_real(rows: Rows, found: Mapping[str, Any]) -> str:
    """A table of the methods that were tried here and have logs; empty where there is none.

    Raises
    ------
    BadInput : the results of the logs are damaged
    """
    if not REAL.is_file():
        return ""
    try:
        real = json.loads(REAL.read_text(encoding="utf-8"))
        logged = {called: _logs(real, called) for called in (*LOGGED.values(), BEAMS)}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{REAL}: cannot be read ({type(error).__name__}); python -m analysis.published --redraw makes it again.") from error
    here, lines = {one["arm"]: one for one in found["verdicts"]}, []
    for method, called in LOGGED.items():
        arm = named(method, 1.0)
        if arm in here and logged[called]:
            lines.append(f"| `{method}` | {verdict_of(here[arm])} ({_change(rows, arm, NONE)}) | {'; '.join(logged[called])} |")
    if not lines:
        return ""
    search = found["provenance"]["config"].get("beams", 1) > 1
    if search and logged[BEAMS]:
        lines.append(f"| beam search without a method | what the others are compared with | {'; '.join(logged[BEAMS])} |")
    what = (
        "*Beside [real captions](published.md)*: verdicts, and the change of CHAIR_s in points; here at the source's own setting, against "
        f"{'beam search' if search else 'greedy captions'}, there as each log has it, against greedy captions of the same model."
    )
    return "\n".join([what, "", f"| method | {found['provenance']['model_id']} | real captions |", "|---|---|---|", *lines])


def _logs(real: Mapping[str, Any], called: Sequence[str]) -> list[str]:
    """The logs of a method by model and verdict, each with the change of CHAIR_s."""
    rows, logs = by_name(real["results"]), {one["name"]: one for one in real["logs"]}
    told: dict[str, list[str]] = {}
    for one in real["verdicts"]:
        log = logs[one["log"]]
        if log["method"] in called:
            name = "" if log["method"] == called[0] else f" ({log['method']})"
            told.setdefault(f"{log['model']}{name}: {verdict_of(one)}", []).append(_change(rows, one["log"], one["baseline"]))
    return [f"{said} ({', '.join(changes)})" for said, changes in told.items()]


def _change(rows: Rows, arm: str, baseline: str) -> str:
    return signed(100 * rows[f"{arm} - {baseline}/chair_s"]["estimate"])
