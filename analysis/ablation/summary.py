"""The lines printed at the end of the command: one per cell, and the time taken."""

import math
from collections.abc import Mapping
from typing import Any

from analysis.cells.names import BASELINE
from analysis.question.question import by_name

SHOWN = ("chair_i", "chair_s", "f1", "length")


def summary(found: Mapping[str, Any]) -> str:
    """Each cell's differences to the baseline, an asterisk where the corrected test rejects, and the seconds it took."""
    rows, told = by_name(found["results"]), found["provenance"]
    widest = max(len(cell["name"]) for cell in found["cells"])
    lines = [f"{'cell':{widest}}  {'rate':>6}" + "".join(f"  {name:>9}" for name in SHOWN) + "  seconds"]
    for cell in found["cells"]:
        name = cell["name"]
        shown = "".join(f"  {_difference(rows, name, measure):>9}" for measure in SHOWN)
        lines.append(f"{name:{widest}}  {rows[f'{name}/rate']['estimate']:6.3f}{shown}  {cell['seconds']:7.1f}")
    wall = told["wall"]
    lines.append(f"Differences to the baseline over {told['n']} scenes; * corrected p < 0.05. First line: the baseline itself.")
    lines.append(
        f"{wall['cells_of_this_run']} cells run in {wall['this_run_seconds'] / 60:.1f} minutes with {wall['workers']} workers; "
        f"all {len(found['cells'])} cells took {wall['all_cells_seconds'] / 60:.1f} minutes, "
        f"{wall['all_cells_cpu_seconds'] / 60:.1f} of them of processor time."
    )
    if told["missing_cells"]:
        lines.append(f"Not finished, and left out: {', '.join(told['missing_cells'])}.")
    return "\n".join(lines)


def _difference(rows: Mapping[str, Mapping[str, Any]], name: str, measure: str) -> str:
    if name == BASELINE:
        return f"{rows[f'{name}/{measure}']['estimate']:.3f} "
    row = rows.get(f"{name} - {BASELINE}/{measure}")
    if row is None or math.isnan(row["estimate"]):
        return "-"
    return f"{row['estimate']:+.3f}{'*' if row['p_adjusted'] < 0.05 else ' '}"
