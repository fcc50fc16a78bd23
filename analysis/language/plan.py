"""The arms: doses of the paper's rule, constants, other rates of equal mean, places, mixes and layers."""

from collections.abc import Mapping
from typing import Any

from analysis.cells.cells import Cell
from analysis.cells.names import BASELINE, PAPER
from analysis.cells.parts import PLACES, span
from analysis.cells.plan_setting import PlanSetting

DOSES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)
CONSTANTS = (0.1, 0.2, 0.3, 0.5, 0.7)
GUIDES = ("mean", "permuted", "shifted", "position", "token_class")
"""Rates whose mean is that of the paper's rule."""
MIXES = ("shrink_only", "norm_preserving", "random_direction", "running_mean")


def arms(setting: PlanSetting) -> list[Cell]:
    """All arms, no smoothing and the paper's first."""
    quarter = max(1, setting.layers // 4)
    bands = [list(range(first, min(first + quarter, setting.layers))) for first in range(0, quarter * 4, quarter)]
    families: Mapping[str, Mapping[str, Mapping[str, Any]]] = {
        "dose": {f"lambda_ref {dose:g}": {"lambda_ref": dose} for dose in DOSES if dose != setting.lambda_ref},
        "constant": {f"constant {rate:g}": {"policy": "constant", "policy_options": {"rate": rate}} for rate in CONSTANTS},
        "guidance": {name: setting.policy(name) for name in GUIDES},
        "form": {
            **{f"{name} only": options for name, options in PLACES.items() if name != "both"},
            "inverse": setting.policy("inverse"),
            "previous raw": {"previous": "raw"},
            "rope before": {"rope": "before"},
            **{name: {"mix": name} for name in MIXES},
        },
        "layers": {f"layers {span(band)}": {"layers": band} for band in bands},
    }
    made = [Cell(name, family, options) for family, cells in families.items() for name, options in cells.items()]
    return [Cell(BASELINE, "reference", None), Cell(PAPER, "reference"), *made]
