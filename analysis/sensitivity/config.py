"""The options of `python -m analysis.sensitivity`."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from analysis.cells.config import CellsConfig
from probes.options import check_above_zero, check_not_negative, check_positive, check_rates


@dataclass(frozen=True)
class SensitivityConfig(CellsConfig):
    """How much the choice of KVSmooth's options decides: each swept round its default, over the option and over the realised rate."""

    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "",
        "--images 60",
        "--lambdas 0.5 0.7 0.9 --windows 15",
        "--redraw",
        "--subject models/mine --image-folder photos --annotations instances.json --images 50",
    )
    out: Path = Path("figures/emoji/sensitivity")
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
        check_rates(self, "lambdas")
        check_not_negative(self, "margins")
        check_positive(self, "windows")
        check_above_zero(self, "margin_chair_i")
