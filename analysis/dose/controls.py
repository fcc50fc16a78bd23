"""Controls of the published dose: rates that know nothing of entropy, and mixes that keep one half of what it does to a state, or neither.

They are cells of the ablation's ladder, which share its store.
"""

from typing import TYPE_CHECKING

from analysis.cells.names import MIX_WORDS

if TYPE_CHECKING:
    from analysis.cells.cells import Cell
    from analysis.cells.plan_setting import PlanSetting

CONTROLS = {"mean": "constant rate", "permuted": "rates shuffled", **MIX_WORDS}
"""By the ablation's name: what it is called here."""


def controls(setting: "PlanSetting") -> "list[Cell]":
    """The cells, at the published dose."""
    from analysis.ablation.plans import ladder

    return [cell for cell in ladder(setting) if cell.name in CONTROLS]
