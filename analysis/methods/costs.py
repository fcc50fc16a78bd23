"""What each method costs, as `analysis.efficiency` measured it: every arm in the same rounds, so that ratios can stand in one table."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.efficiency.names import BEAMS
from analysis.methods.strengths import SEARCHES
from analysis.methods.trial import NONE
from probes.command.cli import BadInput

COSTS = Path("figures/efficiency/methods.json")
"""The results of the command that docs/methods.md names; in a folder without them tables tell no cost."""
AGAIN = "make it with the command in docs/methods.md"


@dataclass(frozen=True)
class Cost:
    """Processor time of a call / that of the control: over rounds the median, and whether the interval over rounds leaves 1 out."""

    ratio: float
    sure: bool


def costs(beams: int) -> Mapping[str, Cost]:
    """By method, its cost beside plain decoding or, of what was measured so, beside beam search; empty without results."""
    if not COSTS.is_file():
        return {}
    ratios: Mapping[str, tuple[float, float, float]] = _measured()["ratios"]
    control = ratios.get("plain" if beams == 1 else "beams")
    if control is None or beams not in (1, BEAMS):
        return {}
    searched = [name for name in ratios if beams == 1 or name in SEARCHES]  # of the others nobody measured what a search costs
    parts = {name: [value / control[0] for value in ratios[name]] for name in searched}
    return {NONE: Cost(1.0, True), **{name: Cost(ratio, not low <= 1 <= high) for name, (ratio, low, high) in parts.items()}}


def _measured() -> Mapping[str, Any]:
    try:
        found = json.loads(COSTS.read_text(encoding="utf-8"))
        spread = found["spread"]["whole"]["processor"]
        ratios = {name: (float(ratio), float(spread[name]["low"]), float(spread[name]["high"])) for name, ratio in found["ratios"].items()}
        if not all(part > 0 for own in ratios.values() for part in own):
            raise ValueError("a cost that is not above 0")
        told = {"parameters": float(found["parameters"]), "ratios": ratios}
        image = found["provenance"]["config"]["image"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{COSTS}: cannot be read ({type(error).__name__}); {AGAIN}, or remove it.") from error
    if not image:
        raise BadInput(f"{COSTS}: is not of the random Llama that reads an image; {AGAIN}.")
    return told


def cell(spent: Mapping[str, Cost], arm: str) -> str:
    """What stands in the table: of an arm at any strength, what its method costs at its defaults; to a digit, as intervals are wide."""
    cost = spent.get(arm.partition(" x")[0])
    return "–" if cost is None else f"{cost.ratio:.1f}" if cost.sure else f"({cost.ratio:.1f})"


def note(beams: int) -> str:
    """What the column says, in a sentence."""
    found = _measured()
    beside = "decoding without a method" if beams == 1 else "beam search without a method"
    return (
        f" Time: of the processor, as a ratio to {beside}, of a random Llama of {found['parameters'] / 1e6:.0f} M parameters with each "
        "method at its defaults; in brackets: not told from 1 (intervals: [what a token costs](methods.md#what-a-token-costs))."
    )
