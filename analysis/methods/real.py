"""What real captions say of the same methods, beside what these do here at their sources' own settings."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.methods.strengths import named
from analysis.methods.trial import NONE
from analysis.published.tables import verdict_of
from analysis.question.question import by_name
from analysis.telling.wording import Rows, signed

REAL = Path("figures/published/published.json")
"""The results of `analysis.published`; in a folder without them nothing stands beside."""
LOGGED: Mapping[str, str] = {
    "pai": "PAI",
    "middle_layer": "MiddleLayer (HGAI)",
    "iat": "IAT",
    "adaiat": "AdaIAT",
    "vcd": "VCD",
    "deco": "DeCo",
    "opera": "OPERA",
}
"""By method, what logs of real captions call it."""


def beside_real(rows: Rows, found: Mapping[str, Any]) -> str:
    """A table of the methods that were tried here and have logs; empty where there is none."""
    if not REAL.is_file():
        return ""
    real = json.loads(REAL.read_text(encoding="utf-8"))
    here, lines = {one["arm"]: one for one in found["verdicts"]}, []
    for method, called in LOGGED.items():
        arm = named(method, 1.0)
        logs = _logs(real, called)
        if arm in here and logs:
            lines.append(f"| `{method}` | {verdict_of(here[arm])} ({_change(rows, arm, NONE)}) | {'; '.join(logs)} |")
    if not lines:
        return ""
    what = "*Beside [real captions](published.md)*: verdicts at the source's own setting, and the change of CHAIR_s in points."
    return "\n".join([what, "", f"| method | {found['provenance']['model_id']} | real captions |", "|---|---|---|", *lines])


def _logs(real: Mapping[str, Any], called: str) -> list[str]:
    """The logs of a method by model and verdict, each with the change of CHAIR_s."""
    rows, logs = by_name(real["results"]), {one["name"]: one for one in real["logs"]}
    told: dict[str, list[str]] = {}
    for one in real["verdicts"]:
        if logs[one["log"]]["method"] == called:
            told.setdefault(f"{logs[one['log']]['model']}: {verdict_of(one)}", []).append(_change(rows, one["log"], one["baseline"]))
    return [f"{said} ({', '.join(changes)})" for said, changes in told.items()]


def _change(rows: Rows, arm: str, baseline: str) -> str:
    return signed(100 * rows[f"{arm} - {baseline}/chair_s"]["estimate"])
