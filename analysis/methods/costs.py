"""What each method costs, as `analysis.efficiency` measured it: every arm in the same rounds, so that ratios can stand in one table."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.methods.trial import NONE
from probes.command.cli import BadInput

COSTS = Path("figures/efficiency/methods.json")
"""The results of the command that docs/methods.md names; in a folder without them tables tell no cost."""
AGAIN = "make it with the command in docs/methods.md"


def costs(beams: int) -> Mapping[str, float]:
    """By method, processor time of a call / that of plain decoding, or of beam search where arms search; empty without results."""
    if not COSTS.is_file():
        return {}
    ratios: Mapping[str, float] = _measured()["ratios"]
    control = ratios.get("plain" if beams == 1 else "beams")
    return {NONE: 1.0, **{name: ratio / control for name, ratio in ratios.items()}} if control else {}


def _measured() -> Mapping[str, Any]:
    try:
        found = json.loads(COSTS.read_text(encoding="utf-8"))
        told = {"parameters": float(found["parameters"]), "ratios": {name: float(ratio) for name, ratio in found["ratios"].items()}}
        image = found["provenance"]["config"]["image"]
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadInput(f"{COSTS}: cannot be read ({type(error).__name__}); {AGAIN}, or remove it.") from error
    if not image:
        raise BadInput(f"{COSTS}: is not of the random Llama that reads an image; {AGAIN}.")
    return told


def cell(spent: Mapping[str, float], arm: str) -> str:
    """What stands in the table: of an arm at any strength, what its method costs at its defaults; to a digit, as intervals are wide."""
    ratio = spent.get(arm.partition(" x")[0])
    return "–" if ratio is None else f"{ratio:.1f}"


def note(beams: int) -> str:
    """What the column says, in a sentence."""
    found = _measured()
    beside = "decoding without a method" if beams == 1 else "beam search without a method"
    return (
        f" Time: of the processor, as a ratio to {beside}, of a random Llama of {found['parameters'] / 1e6:.0f} M parameters with each "
        "method at its defaults (intervals: [what a token costs](methods.md#what-a-token-costs))."
    )
