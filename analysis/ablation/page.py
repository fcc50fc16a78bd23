"""Writes docs/ablation.md, text and tables, from the results."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from analysis.ablation.controls import shown
from analysis.ablation.panels import LABELS, Rows, passes
from analysis.ablation.rivals_told import rivals_table
from analysis.ablation.verdict import verdict
from analysis.cells.names import BASELINE, PAPER
from analysis.question.question import by_name
from analysis.telling.wording import bracketed, p_value, signed

NONE = "–"
COLUMNS = ("chair_i", "chair_s", "chair_i_matched", "recall", "f1", "length", "repeated_mentions", "looping")
TITLES = {
    "ladder": "Ladder: controls of the guidance",
    "places": "Places",
    "dose": "Dose",
    "layers": "Layers",
    "detectors": "Detectors in the entropy's place",
    "options": "Options, one changed at a time",
    "cross": "Crossed",
}
LEAD = (
    "One bullet a family; the tables below have every cell. What is raised, lowered or told apart is so by a corrected test. Brackets: the "
    "difference to no smoothing, under *Guidance* KVSmooth minus the control."
)


def markdown(found: Mapping[str, Any], other: Mapping[str, Any] | None = None) -> str:
    """The verdict, what the controls show, and all tables: each family against no smoothing, KVSmooth against its controls, dose."""
    rows, told = by_name(found["results"]), found["provenance"]
    names = [cell["name"] for cell in found["cells"]]
    counted = f"{told['n']} scenes, {len(names)} cells, `lambda_ref` {told['base']['lambda_ref']:g}, commit {told['git_commit'][:10]}."
    lines = [f"**{_verdict(rows, other)}**", "", counted, ""]
    if bullets := shown(found, other):
        lines += [LEAD, "", *bullets, ""]
    lines += ["## Tables", ""]
    lines += _levels(rows)
    for family, title in TITLES.items():
        members = [cell["name"] for cell in found["cells"] if cell["family"] == family]
        if members:
            lines += ["", f"### {title}", "", *_differences(rows, [(name, BASELINE) for name in members], "minus no smoothing")]
    controls = [cell["name"] for cell in found["cells"] if cell["family"] == "ladder" and cell["name"] != PAPER]
    if controls:
        lines += ["", "### KVSmooth minus each control", "", *_differences(rows, [(PAPER, name) for name in controls], "KVSmooth minus")]
    lines += rivals_table(rows, names)
    lines += _effects(rows)
    return "\n".join([*lines, "", *_time(found)])


def _verdict(rows: Rows, other: Mapping[str, Any] | None) -> str:
    return verdict(rows) if other is None else verdict(rows, by_name(other["results"]), other["provenance"]["base"]["lambda_ref"])


def _levels(rows: Rows) -> list[str]:
    lines = [f"| no smoothing | {' | '.join(LABELS[name] for name in COLUMNS if f'{BASELINE}/{name}' in rows)} |"]
    present = [name for name in COLUMNS if f"{BASELINE}/{name}" in rows]
    lines.append("|---" * (len(present) + 1) + "|")
    return [*lines, f"| level | {' | '.join(signed(rows[f'{BASELINE}/{name}']['estimate']) for name in present)} |"]


def _differences(rows: Rows, pairs: Sequence[tuple[str, str]], title: str) -> list[str]:
    lines = [f"| {title} | mean rate | {' | '.join(LABELS[name] for name in COLUMNS)} | McNemar p | F1 within margin |"]
    lines.append("|---" * (len(COLUMNS) + 4) + "|")
    for treated, control in pairs:
        named = control if treated == PAPER and control != BASELINE else treated
        cells = [_cell(rows.get(f"{treated} - {control}/{name}")) for name in COLUMNS]
        binary, f1 = (rows.get(f"{treated} - {control}/{name}", {}).get("effect", {}) for name in ("chair_s", "f1"))
        same = {1: "yes", 0: "no"}.get(f1.get("equivalent"), NONE)
        lines.append(f"| {named} | {_rate(rows, named)} | {' | '.join(cells)} | {p_value(binary.get('p_mcnemar'), NONE)} | {same} |")
    return lines


def _effects(rows: Rows) -> list[str]:
    lines = []
    kinds = {
        "interaction": "### Keys x values: (both - keys) - (values - neither)",
        "slope": "### Dose: slope per unit of realised mean rate, constant rates",
        "tau": "### Dose: Kendall's tau over constant rates",
        "off the curve": "### Guided cells minus the constant of the same mean rate",
    }
    for kind, title in kinds.items():
        found = [row for row in rows.values() if row["where"].get("kind") == kind]
        measures = [name for name in COLUMNS if any(row["where"]["measure"] == name for row in found)]
        if not found:
            continue
        lines += ["", title, "", f"| | {' | '.join(LABELS[name] for name in measures)} |", "|---" * (len(measures) + 1) + "|"]
        for about in dict.fromkeys(row["where"]["family"] for row in found):
            cells = [bracketed(rows[f"{about}/{kind}/{name}"]) for name in measures]
            lines.append(f"| {about} | {' | '.join(cells)} |")
    return lines


def _time(found: Mapping[str, Any]) -> list[str]:
    wall = found["provenance"]["wall"]
    seconds = sorted(cell["seconds"] for cell in found["cells"])
    count = wall["cells_of_this_run"]
    ran = f"{count} cells in {wall['this_run_seconds'] / 60:.1f} minutes, processes: {wall['workers']}; a" if count else "A"
    return [
        "### Wall time",
        "",
        f"{ran} cell took {seconds[0]:.0f} to {seconds[-1]:.0f} s, all {len(seconds)} together "
        f"{wall['all_cells_seconds'] / 60:.1f} minutes of work.",
    ]


def _cell(row: Mapping[str, Any] | None) -> str:
    if row is None or math.isnan(row["estimate"]):
        return NONE
    return f"{bracketed(row)}{'*' if passes(row) else ''}"


def _rate(rows: Rows, cell: str) -> str:
    row = rows.get(f"{cell}/rate")
    return NONE if row is None else signed(row["estimate"])
