"""The options of `python -m analysis.sensitivity`."""

from dataclasses import dataclass
from pathlib import Path

from analysis.ablation.config import CellsConfig


@dataclass(frozen=True)
class SensitivityConfig(CellsConfig):
    """How much the choice of KVSmooth's options decides: each swept round its default, over the option and over the realised rate."""

    out: Path = Path("figures/sensitivity")
    """folder of figures, sensitivity.nc and sensitivity.json"""
    page: Path = Path("docs/findings.md")
    """page whose paragraph is written"""
    lambdas: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)
    """centres of the clip, in [0, 1]"""
    margins: tuple[float, ...] = (0.0, 0.1, 0.2, 0.3)
    """half widths of the clip"""
    windows: tuple[int, ...] = (5, 15, 30, 60)
    """capacities of the queue, steps"""
    margin_chair_i: float = 0.01
    """difference of CHAIR_i that does not matter, for the test of equivalence"""

    def __post_init__(self):
        super().__post_init__()
        if bad := [value for value in self.lambdas if not 0 <= value <= 1]:
            raise ValueError(f"SensitivityConfig.lambdas must lie in [0, 1]; got {bad[0]}.")
        if bad := [value for value in self.margins if not value >= 0]:
            raise ValueError(f"SensitivityConfig.margins must be at least 0; got {bad[0]}.")
        if bad := [value for value in self.windows if value < 1]:
            raise ValueError(f"SensitivityConfig.windows must be positive integers; got {bad[0]}.")
        if not self.margin_chair_i > 0:
            raise ValueError(f"SensitivityConfig.margin_chair_i must be positive; got {self.margin_chair_i}.")
