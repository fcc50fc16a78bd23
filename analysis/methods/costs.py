"""What each method costs, as `analysis.efficiency` measured it: every arm in the same rounds, so that ratios can stand in one table."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from analysis.methods.trial import NONE

COSTS = Path("figures/efficiency/methods.json")
"""The results of the command that docs/methods.md names; in a folder without them tables tell no cost."""


def costs(beams: int) -> Mapping[str, float]:
    """By method, processor time of a call / that of plain decoding, or of beam search where arms search; empty without results."""
    if not COSTS.is_file():
        return {}
    ratios: Mapping[str, float] = json.loads(COSTS.read_text(encoding="utf-8"))["ratios"]
    control = ratios.get("plain" if beams == 1 else "beams")
    return {} if control is None else {NONE: 1.0, **{name: ratio / control for name, ratio in ratios.items()}}


def cell(spent: Mapping[str, float], arm: str) -> str:
    """What stands in the table: of an arm at any strength, what its method costs at its defaults."""
    ratio = spent.get(arm.partition(" x")[0])
    return "–" if ratio is None else f"{ratio:.2f}"


def note(beams: int) -> str:
    """What the column says, in a sentence."""
    found: Mapping[str, Any] = json.loads(COSTS.read_text(encoding="utf-8"))
    beside = "decoding without a method" if beams == 1 else "beam search without a method"
    return (
        f" Time: of the processor, as a ratio to {beside}, of a random Llama of {found['parameters'] / 1e6:.0f} M parameters with each "
        "method at its defaults (intervals: [what a token costs](methods.md#what-a-token-costs))."
    )
