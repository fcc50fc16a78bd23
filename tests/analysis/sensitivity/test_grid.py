"""The cells that are swept: those of the ablation to the letter, each once, found in its store whatever they are called."""

from dataclasses import replace

import pytest

from analysis.ablation.plans import planned
from analysis.cells.cells import Cell
from analysis.cells.names import BASELINE, PAPER
from analysis.cells.plan_setting import PlanSetting
from analysis.cells.store import CellStore
from analysis.sensitivity.config import SensitivityConfig
from analysis.sensitivity.grid import cells, grid
from analysis.sensitivity.names import OPTIONS

SETTING = PlanSetting(0.7, 12)


def test_cells_that_the_ablation_has_are_the_same_in_options():
    config = SensitivityConfig()
    swept = {cell.name: cell.options for cell in cells(grid(config, SETTING), SETTING)}
    ablation = {cell.name: cell.options for cell in planned("full", SETTING)}
    shared = set(swept) & set(ablation)
    assert {name: swept[name] for name in shared} == {name: ablation[name] for name in shared}
    assert set(swept) - shared == {*(f"lambda_ref {value:g}" for value in (0, 0.1, 0.2, 0.4, 0.6, 0.8)), "window 60"}
    # no two names for one way of smoothing, in either plan or between them
    both = {str(options): name for name, options in (ablation | swept).items()}
    assert len(both) == len(ablation | swept)


def test_every_grid_holds_the_default_once_and_settings_in_order():
    made = grid(SensitivityConfig(lambdas=(0.9, 0.1), windows=(60,)), SETTING)
    assert list(made) == list(OPTIONS)
    assert [one["value"] for one in made["lambda_ref"]] == [0.1, 0.7, 0.9]
    assert [one["cell"] for one in made["window"]] == [PAPER, "window 60"]
    assert all(sum(one["cell"] == PAPER for one in settings) == 1 for settings in made.values())
    assert [one["layers"] for one in made["layers"]] == [8, 3, 3, 3, 3, 12, 9, 9, 9, 9]


def test_another_centre_makes_its_own_default():
    setting = replace(SETTING, lambda_ref=0.5)
    config = SensitivityConfig(lambda_ref=0.5)
    found = {cell.name: cell.options for cell in cells(grid(config, setting), setting)}
    assert "lambda_ref 0.5" not in found
    assert found["lambda_ref 0.7"] == {"lambda_ref": 0.7}


def test_every_cell_builds_a_method():
    for cell in cells(grid(SensitivityConfig(), SETTING), SETTING):
        assert (cell.method({"lambda_ref": 0.7, "exact": False}) is None) == (cell.name == BASELINE)


def test_the_store_finds_a_cell_by_what_it_is(tmp_path):
    def store(lambda_ref):
        return CellStore(tmp_path, {"images": 4, "base": {"lambda_ref": lambda_ref, "exact": False}}, ())

    ours = Cell("wide window", "window", {"window": 30})
    place = store(0.7).place(Cell("window 30", "options", {"window": 30})).result
    assert store(0.7).place(ours).result.name != place.name
    place.write_text("{}")
    assert store(0.7).place(ours).result == place
    assert store(0.7).finished(ours)
    # an option that the cell names and one that all cells share come to the same
    assert store(0.5).place(Cell("x", "y", {"window": 30, "lambda_ref": 0.7})).result == place
    assert not store(0.5).finished(ours)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"lambdas": (1.5,)}, "lambdas must lie in [0, 1]; got 1.5"),
        ({"margins": (-0.1,)}, "margins must be 0 or more; got -0.1"),
        ({"windows": (0,)}, "windows must be positive integers; got 0"),
        ({"margin_chair_i": 0.0}, "margin_chair_i must be positive; got 0.0"),
        ({"workers": 0}, "workers must be a positive integer; got 0"),
    ],
)
def test_options_break_their_laws_by_name(options, words):
    with pytest.raises(ValueError, match="SensitivityConfig") as error:
        SensitivityConfig(**options)
    assert words in str(error.value)
