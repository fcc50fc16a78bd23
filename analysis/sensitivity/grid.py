"""Which settings of each option are run, as cells that the ablation knows by the same options."""

from collections.abc import Iterable
from typing import Any

from analysis.ablation.plans import dose, layers
from analysis.cells.cells import Cell
from analysis.cells.names import BASELINE, PAPER
from analysis.cells.parts import span
from analysis.cells.plan_setting import PlanSetting
from analysis.sensitivity.config import SensitivityConfig
from analysis.sensitivity.names import CONSTANT, DEFAULT_MARGIN, DEFAULT_WINDOW

Grid = dict[str, list[dict[str, Any]]]


def grid(config: SensitivityConfig, setting: PlanSetting) -> Grid:
    """By option, its settings in their order: `value`, `cell` and `layers`, how many of the decoder's layers are smoothed.

    The default is always among them, as the paper's cell. Layers: the paper's band, quarters, all, all but a quarter.
    """
    band = list(range(3, setting.layers - 1))
    found: Grid = {}
    numbered = {
        "lambda_ref": (config.lambdas, config.lambda_ref),
        "margin": (config.margins, DEFAULT_MARGIN),
        "window": (config.windows, DEFAULT_WINDOW),
    }
    for option, (values, default) in numbered.items():
        found[option] = [
            {"value": value, "cell": PAPER if value == default else f"{option} {value:g}", "layers": len(band)}
            for value in sorted({*values, default})
        ]
    found["layers"] = [{"value": span(band), "cell": PAPER, "layers": len(band)}]
    for cell in layers(setting):
        chosen = cell.options["layers"]
        if len(chosen) > 1 and chosen != band:  # one layer at a time is a question of the ablation's
            value = cell.name.removeprefix("layers ").replace("all but ", "not ")
            found["layers"].append({"value": value, "cell": cell.name, "layers": len(chosen)})
    return found


def cells(made: Grid, setting: PlanSetting) -> list[Cell]:
    """The cells of a grid, each once, with the baseline and the constant rates that make the curve of the dose."""
    of_layers = {cell.name: cell.options for cell in layers(setting)}
    found = [Cell(BASELINE, "reference", None), Cell(PAPER, "reference")]
    found += [Cell(cell.name, CONSTANT, cell.options) for cell in dose(setting) if cell.option("policy") == "constant"]
    for option, settings in made.items():
        for one in without_default(settings):
            options = of_layers[one["cell"]] if option == "layers" else {option: one["value"]}
            found.append(Cell(one["cell"], option, options))
    return found


def without_default(settings: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """The settings that are not the paper's cell."""
    return [one for one in settings if one["cell"] != PAPER]
