"""What stands against any cell of a plan is told before the first caption, and cells that are not asked for stand against nothing."""

from dataclasses import replace

import pytest

from analysis.ablation.config import AblationConfig
from analysis.cells.cells import Cell
from analysis.cells.names import BASELINE, PAPER
from analysis.cells.planning import material, refuse_unserved
from probes.command.cli import BadInput
from tests import zoo

PLAN = (
    Cell(BASELINE, "ladder", None),
    Cell(PAPER, "ladder"),
    Cell("too deep", "places", {"layers": [99]}),
    Cell("too deep, permuted", "places", {"layers": [98], "policy": "permuted"}),
)


def test_every_cell_is_opened_before_the_first_runs(tmp_path):
    config = AblationConfig(images=2, out=tmp_path / "out", store=tmp_path / "store", page=tmp_path / "page.md")
    with pytest.raises(BadInput, match=r"^cell too deep: .*99.*Name the cells that can be run by --only\.$") as caught:
        material(config, lambda setting: PLAN)
    assert "\n" not in str(caught.value)
    assert [cell.name for cell in material(replace(config, only=(BASELINE,)), lambda setting: PLAN).plan] == [cell.name for cell in PLAN]


def test_of_two_passes_the_first_is_opened():
    model, _ = zoo.build("llama")
    with pytest.raises(BadInput, match=r"^cell too deep, permuted: .*98"):
        refuse_unserved([PLAN[0], PLAN[3]], {"lambda_ref": 0.7}, model)
