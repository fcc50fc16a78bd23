"""What is drawn stands in the results file: every line, point, bar and map cell of the figures is looked up there."""

import json

import numpy as np
import pytest

from analysis.drift import __main__ as drift
from analysis.drift.__main__ import DriftConfig
from analysis.drift.figures import draw_all
from analysis.drift.panels import LEVEL, MAPS
from analysis.drift.reduce import BIN, reduce
from analysis.question.arms import ARMS, BAND, CONTRAST
from analysis.question.question import by_name
from tests.analysis.resamples import few
from tests.analysis.synthetic import recording

pytestmark = pytest.mark.slow
LAYERS, SMOOTHED = range(6), range(2, 5)


@pytest.fixture(scope="module")
def made():
    recordings = {"replay": recording(14, 33, entropy_effect=-0.3), "free": recording(14, 33, regime="free", seed=1)}
    with few():
        reduced = reduce(recordings)
        text = drift.test(reduced, DriftConfig(), "")
    found = json.loads(text)
    return recordings, found, draw_all(reduced, by_name(found["results"])), text


def close(drawn, told):
    """Equal to the six digits of the file."""
    np.testing.assert_allclose(drawn, np.array(told, dtype=float), rtol=2e-5, atol=1e-9)


def panels(figures):
    """Axes with data by figure, without the colour bars."""
    return {name: [ax for ax in figure.axes if ax.get_label() != "<colorbar>"] for name, figure in figures.items()}


def test_every_line_over_steps_is_a_curve_of_the_file(made):
    _, found, figures, _ = made
    known = [np.array(curve["mean"], dtype=float) for curve in found["curves"]]
    drawn = [
        line.get_ydata()[1:]
        for name, axes in panels(figures).items()
        if name != "smoothing"
        for ax in axes
        for line in ax.lines
        if len(line.get_xdata()) == 33
    ]
    assert len(drawn) > 16
    for values in drawn:
        assert any(np.allclose(values, mean, rtol=2e-5, equal_nan=True) for mean in known)


def test_every_share_of_the_stack_is_a_curve_of_the_file(made):
    _, found, figures, _ = made
    shares = {curve["quantity"]: curve["mean"] for curve in found["curves"] if (curve["regime"], curve["arm"]) == ("replay", ARMS[0])}
    stack = panels(figures)["visual_mass"][2].collections
    below = np.zeros(32)
    for band in stack:
        below = below + np.array(shares[f"mass_{band.get_label()}"], dtype=float)
        heights = band.get_paths()[0].vertices[:, 1]
        assert max(abs(heights - value).min() for value in below) < 2e-5
    assert len(stack) == 6


def test_every_point_by_layer_is_a_row_and_filled_where_its_corrected_p_says_so(made):
    _, found, figures, _ = made
    rows = by_name(found["results"])
    asked = {("entropy", 3): "entropy", ("visual_mass", 5): "excess_image", ("drift", 7): "drift_image"}
    for (name, panel), quantity in asked.items():
        points = [line for line in panels(figures)[name][panel].lines if line.get_marker() in "os" and len(line.get_xdata())]
        marks = {}
        for point in points:
            (x,), (y,) = point.get_data()
            marks[f"{x:.5g}", round(float(y), 2)] = point.get_markerfacecolor() != "white"
        expected = {}
        for i, regime in enumerate(("replay", "free")):
            for place, label in enumerate([*(f"layer {layer}" for layer in LAYERS), BAND]):
                row = rows[f"{regime}/{quantity}/mean/{CONTRAST}/{label}"]
                expected[f"{row['estimate']:.5g}", round(place + 0.3 * (i - 0.5), 2)] = row["p_adjusted"] < LEVEL
        assert marks == expected
    # the band's uncorrected p may be as small as it likes: only primary outcomes are filled
    free = rows[f"free/entropy/mean/{CONTRAST}/{BAND}"]
    assert np.isnan(free["p_adjusted"])
    assert rows[f"replay/entropy/mean/{CONTRAST}/{BAND}"]["p_adjusted"] < LEVEL


def test_maps_are_in_the_file_step_by_step_and_cell_by_cell(made):
    recordings, found, figures, _ = made
    mesh = panels(figures)["entropy"][2].collections[0].get_array()
    for line in found["map_steps"]:
        if (line["regime"], line["quantity"]) == ("replay", "entropy"):
            close(mesh[line["layer"]], line["estimate"])
    entropy = recordings["replay"]["row_entropy"].values.mean(axis=-1)
    cells = [cell for cell in found["maps"] if (cell["regime"], cell["quantity"]) == ("replay", "entropy")]
    assert len(cells) == 6 * 4
    for cell in cells:
        steps = slice(cell["first_step"], cell["last_step"] + 1)
        slow = (entropy[1] - entropy[0])[:, steps, cell["layer"]].mean(axis=1).mean()
        assert cell["estimate"] == pytest.approx(slow, abs=1e-5)
        assert (cell["p_adjusted"] is None) == (cell["layer"] not in range(2, 6))
    assert {cell["last_step"] - cell["first_step"] + 1 for cell in cells} == {BIN, 2}
    assert {cell["quantity"] for cell in found["maps"]} == {line["quantity"] for line in found["map_steps"]} == set(MAPS)
    assert min(cell["p_adjusted"] for cell in cells if cell["p_adjusted"] is not None) < LEVEL


def test_rates_clips_and_changes_are_in_the_file(made):
    recordings, found, figures, _ = made
    left, middle, right = panels(figures)["smoothing"]
    rows = by_name(found["results"])
    told = [line for line in found["rates"] if line["regime"] == "replay"]
    assert [line["layer"] for line in told] == list(SMOOTHED)
    for drawn, line in zip(left.lines, told, strict=True):
        close(drawn.get_xdata(), line["rate"])
        close(drawn.get_ydata(), line["share_at_or_below"])
    rate = recordings["replay"]["rate"].values[1]
    for i, layer in enumerate(SMOOTHED):
        floor, ceiling = (rows[f"replay/share_{side}/mean/kvsmooth/layer {layer}"] for side in ("floor", "ceiling"))
        slow = np.array([np.isclose(image[np.isfinite(image)], 0.5).mean() for image in rate[:, :, layer]])
        assert floor["estimate"] == pytest.approx(slow.mean(), abs=1e-5)
        assert floor["interval"][0] < floor["estimate"] < floor["interval"][1]
        assert (floor["role"], floor["n"], floor["unit"]) == ("descriptive", 14, "1")
        bars = [middle.patches[i + len(SMOOTHED) * part].get_height() for part in range(3)]
        close(bars, [floor["estimate"], 1 - floor["estimate"] - ceiling["estimate"], ceiling["estimate"]])
    highest = 0.0
    for container, kind in zip(right.containers, ("key", "value"), strict=True):
        line = container.lines[0]
        mine = [rows[f"replay/change_{kind}/mean/kvsmooth/layer {layer}"] for layer in line.get_xdata()]
        close(line.get_ydata(), [row["estimate"] for row in mine])
        highest = max([highest, *(row["interval"][1] for row in mine)])
    assert right.get_ylim()[1] > 1.05 * highest
    assert right.get_xticks().tolist() == list(SMOOTHED)


def test_the_file_is_small(made):
    assert len(made[-1]) < 3_000_000
