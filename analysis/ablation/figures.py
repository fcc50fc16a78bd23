"""The figures of the ablation, composed of panels; every number comes from ablation.json."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.figure import Figure

from analysis.ablation.panels import FOUR, LABELS, SIX, Rows, by_layer, curve, differences, shared_labels, told, two_by_two
from analysis.cells.names import BASELINE, PAPER, WITHOUT_FIRST
from analysis.plots.style import PAGE, figure, letter

_BARS = (
    "Δ with {level:.4g} % cluster BCa intervals over images; in brackets: mean rate. Shaded: F1 within ±{margin:g}; rings: by two "
    "one-sided tests."
)
_COLOURS = "green the better, magenta the worse."
_TEST = f"Filled: corrected p < 0.05 (exchange of arms within images; CHAIR by max-T, the rest by Holm); {_COLOURS}"
_LEVELS = "Points: ratios of sums over images; bars and bands: {level:.4g} % cluster BCa intervals over images."
NOTES = {
    "ladder": f"{_BARS}\n{_TEST}",
    "layers": f"{_BARS}\na-d: points: one layer, lines: those beneath (vermilion: KVSmooth). Filled, solid: corrected p < 0.05; {_COLOURS}",
    "places": f"{_LEVELS}\nK × V: interaction, (both − keys) − (values − neither).",
    "dose": f"{_LEVELS} The curve begins at no smoothing.\nSlope (per unit of rate) and Kendall's τ: over the constant rates.",
    **dict.fromkeys(("detectors", "options", "cross"), f"{_BARS.replace('Δ', 'Δ to no smoothing')}\n{_TEST}"),
}
WIDE = ("chair_i", "chair_s", "f1", "length", "repeated_4grams", "looping")
Cells = Sequence[Mapping[str, Any]]


def draw_all(cells: Cells, rows: Rows) -> dict[str, Figure]:
    """Every figure that the cells allow, by its file name; the first token's cell alone is a line of the page, not a figure."""
    drawn = {
        "ladder": (ladder, "ladder"),
        "layers": (layers, "layers"),
        "places": (places, "places"),
        "dose": (dose, "dose"),
        "detectors": (detectors, "detectors"),
        "options": (options, "options"),
        "cross": (cross, "cross"),
    }
    return {name: draw(cells, rows) for name, (draw, family) in drawn.items() if members(cells, family) not in ([], [WITHOUT_FIRST])}


def members(cells: Cells, family: str) -> list[str]:
    """Names of a family's cells; the paper's cell is not counted as one of its own controls."""
    return [cell["name"] for cell in cells if cell["family"] == family and cell["name"] != PAPER]


def ladder(cells: Cells, rows: Rows) -> Figure:
    """Each control against no smoothing, and KVSmooth against each control."""
    controls = members(cells, "ladder")
    made = figure(PAGE, 1.5 + 0.3 * (len(controls) + 1))
    axes = made.subplots(2, 4)
    against = [(name, BASELINE) for name in (PAPER, *controls)]
    _forest_row(axes[0], rows, against, [told(name, rows) for name, _ in against], "abcd", "each arm minus no smoothing")
    instead = [(PAPER, name) for name in controls]
    _forest_row(axes[1], rows, instead, [f"– {told(name, rows)}" for name in controls], "efgh", "KVSmooth minus each control")
    return made


def layers(cells: Cells, rows: Rows) -> Figure:
    """One layer at a time with the bands over them; then what leaving a band out does."""
    chosen = {cell["name"]: cell["options"]["layers"] for cell in cells if cell["family"] == "layers"}
    single = {numbers[0]: name for name, numbers in chosen.items() if len(numbers) == 1}
    count = 1 + max(max(numbers) for numbers in chosen.values())
    # all layers together stand below: a bar over the whole panel would hide the others
    several = {name: numbers for name, numbers in chosen.items() if name.startswith("layers ") and len(numbers) < count}
    bands = {(numbers[0], numbers[-1]): name for name, numbers in several.items()}
    if f"{PAPER}/rate" in rows and count > 4:
        bands[3, count - 2] = PAPER
    made = figure(PAGE, 5.4)
    axes = made.subplots(2, 4, height_ratios=[1.15, 1])
    for ax, measure, text in zip(axes[0], FOUR, "abcd", strict=True):
        by_layer(ax, rows, single, bands, measure)
        letter(ax, text, LABELS[measure])
    rest = [name for name in (PAPER, *chosen) if len(chosen.get(name, (0, 0))) > 1]
    _forest_row(
        axes[1],
        rows,
        [(name, BASELINE) for name in rest],
        [told(name, rows) for name in rest],
        "efgh",
        "layers together, minus none",
    )
    return made


def places(cells: Cells, rows: Rows) -> Figure:
    """Keys and values in a two by two, the attention output beside it."""
    made = figure(PAGE, 2.5)
    axes = made.subplots(1, 4)
    for ax, measure, text in zip(axes, FOUR, "abcd", strict=True):
        two_by_two(ax, rows, measure)
        letter(ax, text, LABELS[measure])
    made.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)
    return made


def dose(cells: Cells, rows: Rows) -> Figure:
    """Six measures over the realised mean rate."""
    names = members(cells, "dose")
    present = [name for name in (PAPER,) if f"{name}/rate" in rows]
    by_rate = {name: rows[f"{name}/rate"]["estimate"] for name in (BASELINE, *names, *present)}
    constant = sorted((name for name in by_rate if name == BASELINE or name.startswith("constant")), key=by_rate.get)
    guided = sorted((name for name in by_rate if name not in constant), key=by_rate.get)
    made = figure(PAGE, 4.2)
    axes = made.subplots(2, 3)
    for ax, measure, text in zip(axes.flat, WIDE, "abcdef", strict=True):
        curve(ax, rows, constant, guided, measure)
        letter(ax, text, "")
    made.legend(*axes[0, 0].get_legend_handles_labels(), loc="outside upper center", ncols=2)
    return made


def detectors(cells: Cells, rows: Rows) -> Figure:
    """What each detector does in the entropy's place: differences to no smoothing."""
    return _changes(rows, [PAPER, *members(cells, "detectors")])


def options(cells: Cells, rows: Rows) -> Figure:
    """One option changed at a time."""
    return _changes(rows, [PAPER, *members(cells, "options")])


def cross(cells: Cells, rows: Rows) -> Figure:
    """The cells of a cross product."""
    return _changes(rows, [PAPER, *members(cells, "cross")])


def _changes(rows: Rows, names: Sequence[str]) -> Figure:
    """Each cell against no smoothing, in six measures."""
    made = figure(PAGE, 0.95 + 0.15 * len(names))
    pairs, labels = [(name, BASELINE) for name in names], [told(name, rows) for name in names]
    _forest_row(made.subplots(1, len(SIX)), rows, pairs, labels, "abcdef", "", SIX)
    return made


def _forest_row(axes, rows: Rows, pairs: Sequence[tuple[str, str]], labels: Sequence[str], letters: str, title: str, shown=FOUR) -> None:
    for ax, measure, text in zip(axes, shown, letters, strict=True):
        differences(ax, rows, pairs, labels, measure)
        letter(ax, text, LABELS[measure].removesuffix(" captions"))
    axes[0].set_ylabel(title)
    shared_labels(axes)
