"""The lists of cells: what is crossed by default, and the cross product of lists that a user gives."""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

from analysis.cells.cells import Cell
from analysis.cells.names import BASELINE, PAPER, WITHOUT_FIRST
from analysis.cells.parts import PLACES, span
from analysis.cells.plan_setting import PlanSetting
from kvsmooth.sinks import SINKS

REAL_TIME = ("prompt", "before", "step")


def always() -> list[Cell]:
    """The two cells that every comparison needs."""
    return [Cell(BASELINE, "reference", None), Cell(PAPER, "ladder")]


def ladder(setting: PlanSetting) -> list[Cell]:
    """Controls of the guidance, from the amount of smoothing alone up, and of what mixing does."""
    policies = ("mean", "permuted", "shifted", "swapped", "inverse", "random", "position", "token_class", "top")
    mixes = ("norm_preserving", "shrink_only", "random_direction", "running_mean")
    cells = [Cell(name, "ladder", setting.policy(name)) for name in policies]
    together = {"policy_options": {"together": True}}
    cells += [Cell(f"{name} together", "ladder", setting.policy(name) | together) for name in ("permuted", "shifted")]
    return cells + [Cell(name, "ladder", {"mix": name}) for name in mixes]


def places(setting: PlanSetting) -> list[Cell]:
    """Keys, values, the attention output; the paper's cell is both of the first two, the baseline neither."""
    return [Cell(f"{name} only", "places", options) for name, options in PLACES.items() if name != "both"]


def dose(setting: PlanSetting) -> list[Cell]:
    """Constant rates from 0.1 to 0.9, and the paper's rule round other centres."""
    constant = [(f"constant {rate / 10:g}", {"policy": "constant", "policy_options": {"rate": rate / 10}}) for rate in range(1, 10)]
    guided = [(f"lambda_ref {value:g}", {"lambda_ref": value}) for value in (0.3, 0.5, 0.7, 0.9) if value != setting.lambda_ref]
    return [Cell(name, "dose", options) for name, options in constant + guided]


def layers(setting: PlanSetting) -> list[Cell]:
    """One layer at a time, bands of a quarter of the layers, all layers, all but a band."""
    every = tuple(range(setting.layers))
    size = max(1, setting.layers // 4)
    bands = [every[start : start + size] for start in range(0, setting.layers, size)]
    single = [(f"layer {layer}", (layer,)) for layer in every]
    several = [(f"layers {span(band)}", band) for band in (*bands, every) if len(band) > 1]
    without = [(f"all but {span(band)}", tuple(layer for layer in every if layer not in band)) for band in bands if len(bands) > 1]
    return [Cell(name, "layers", {"layers": list(band)}) for name, band in single + several + without]


def detectors(setting: PlanSetting) -> list[Cell]:
    """Every detector that is known in time drives the paper's rule; the entropy in its other forms too."""
    timely = [name for name, made in SINKS.items() if made.known in REAL_TIME and name != "row_entropy"]
    variants = {
        "row_entropy / ln n": {"normalise": True},
        WITHOUT_FIRST: {"keys": "without_bos"},
        "row_entropy on image": {"keys": "image"},
        "row_entropy on text": {"keys": "text"},
    }
    found = [Cell(name, "detectors", setting.score(name)) for name in timely]
    return found + [Cell(name, "detectors", {"score": "row_entropy", "score_options": options}) for name, options in variants.items()]


def first_token(setting: PlanSetting) -> list[Cell]:
    """The paper's score with the first token left out: one of the detectors' cells, for subjects on which these are too many."""
    return [cell for cell in detectors(setting) if cell.name == WITHOUT_FIRST]


def options(setting: PlanSetting) -> list[Cell]:
    """The choices that the paper makes or leaves open, one changed at a time."""
    changed: list[dict[str, Any]] = [{"window": 5}, {"window": 30}, {"margin": 0.0}, {"margin": 0.1}, {"margin": 0.3}]
    changed += [{"timing": "recompute"}, {"rope": "before"}, {"previous": "raw"}, {"heads": "per_head"}, {"heads": "mean_row"}]
    changed += [{"rank": "inclusive"}, {"rank": "mid"}, {"warmup": "length"}]
    return [Cell(" ".join(f"{key} {_short(value)}" for key, value in one.items()), "options", one) for one in changed]


PLANS: dict[str, Callable[[PlanSetting], list[Cell]]] = {
    "ladder": ladder,
    "places": places,
    "dose": dose,
    "layers": layers,
    "detectors": detectors,
    "first_token": first_token,
    "options": options,
}


def planned(name: str, setting: PlanSetting) -> list[Cell]:
    """The cells of a plan, of several as in "ladder,dose", or of all for "full"; baseline and the paper's cell first."""
    chosen = PLANS if name == "full" else name.split(",")
    found = always() + [cell for plan in dict.fromkeys(chosen) for cell in PLANS[plan](setting)]
    return list({cell.name: cell for cell in found}.values())


def crossed(lists: Mapping[str, Sequence[Any]], setting: PlanSetting) -> list[Cell]:
    """The cross product of lists, with the baseline and the paper's cell, and the first passes that its cells need.

    Parameters
    ----------
    lists : `detectors`, `policies`, `mixes`, `places`, `timings`, `ropes`, `bands` (as "3-10"), `windows`, `margins`, `lambdas`; an empty
        list leaves its option alone. Names are made of what differs from the paper's cell
    """
    axes: list[list[tuple[str, dict[str, Any]]]] = []
    for axis, values in lists.items():
        axes.append([_choice(axis, value, setting) for value in values] or [("", {})])
    cells = {cell.name: cell for cell in always()}
    for chosen in product(*axes):
        name = ", ".join(label for label, _ in chosen if label)
        merged = {key: value for _, part in chosen for key, value in part.items()}
        if merged:
            cells.setdefault(name, Cell(name, "cross", _with_rates(merged, setting)))
    known = [cell.options for cell in cells.values()]
    for cell in list(cells.values()):
        if cell.source is not None and cell.source.options not in known:
            cells[cell.source.name] = cell.source
            known.append(cell.source.options)
    return list(cells.values())


def band(text: str, layers: int) -> list[int]:
    """The layers of "3-10" or "4".

    Raises
    ------
    ValueError : it is no band of this decoder
    """
    first, _, last = text.partition("-")
    if not (first.isdigit() and (last or first).isdigit() and int(first) <= int(last or first) < layers):
        raise ValueError(f"--bands must be like 3-10 or 4, below {layers}, the layers of the subject; got {text!r}.")
    return list(range(int(first), int(last or first) + 1))


def _choice(axis: str, value: Any, setting: PlanSetting) -> tuple[str, dict[str, Any]]:
    """A label and the options of one entry of a list; both empty for what the paper's cell does anyway."""
    default_band = list(range(3, setting.layers - 1))
    found = {
        "detectors": lambda: {} if value == "row_entropy" else setting.score(value),
        "policies": lambda: {} if value == "percentile" else setting.policy(value),
        "mixes": lambda: {} if value == "ema" else {"mix": value},
        "places": lambda: PLACES[value],
        "timings": lambda: {} if value == "after" else {"timing": value},
        "ropes": lambda: {} if value == "after" else {"rope": value},
        "bands": lambda: {} if (chosen := band(value, setting.layers)) == default_band else {"layers": chosen},
        "windows": lambda: {} if value == 15 else {"window": value},
        "margins": lambda: {} if value == setting.margin else {"margin": value},
        "lambdas": lambda: {} if value == setting.lambda_ref else {"lambda_ref": value},
    }[axis]()
    plain = {"places": f"{value} only", "bands": f"layers {value}", "timings": f"timing {value}", "ropes": f"rope {value}"}
    numbered = {"windows": "window", "margins": "margin", "lambdas": "lambda_ref"}
    label = plain.get(axis) or (f"{numbered[axis]} {value:g}" if axis in numbered else str(value))
    return (label, dict(found)) if found else ("", {})


def _short(value: Any) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _with_rates(options: Mapping[str, Any], setting: PlanSetting) -> dict[str, Any]:
    """Policies that want a rate take that of the cell's own centre and margin."""
    own = PlanSetting(
        options.get("lambda_ref", setting.lambda_ref), setting.layers, options.get("margin", setting.margin), setting.detectors
    )
    return {**options, **(own.policy(options["policy"]) if "policy" in options else {})}
