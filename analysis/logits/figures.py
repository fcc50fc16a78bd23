"""The figures of the logits question; every number comes from logits.nc and logits.json."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.arms import ARMS, CONTRAST
from analysis.logits.look import OUTCOME_LABELS, SET_COLOURS, SET_LABELS, SHORT
from analysis.logits.names import CONTRAST_OF_CLASSES, OUTCOMES, SETS, VOCABULARY
from analysis.panels import LEVEL, Rows, last_step
from analysis.plots.forest import Point, forest
from analysis.plots.steps import risk_table, steps
from analysis.plots.style import ARM_COLOURS, ARM_LABELS, PAGE, figure, legend, legend_below, letter

VIEWS = {
    "every step": ("present", "hallucinated", "typical", "other"),
    "until said": ("present unsaid", "hallucinated unsaid", "typical", "other"),
}
CURVE_ROWS = ("logit", "logprob", "rank")
REGIME_LOOK = {"replay": ("o", "#222222", "same tokens"), "free": ("s", "#8C8C8C", "own tokens")}


def draw_all(reduced: xr.Dataset, rows: Rows) -> dict[str, Figure]:
    """Every figure by its file name."""
    return {"logits": logits(reduced), "slopes": slopes(reduced, rows), "variance": variance(reduced, rows)}


def logits(reduced: xr.Dataset) -> Figure:
    """Mean logit, log-probability and rank over steps: all objects at every step, as the paper has it, beside those not yet said."""
    made = figure(PAGE, 5.6)
    axes = made.subplots(len(CURVE_ROWS), 4, sharex=True, sharey="row")
    columns = [(arm, view) for arm in ARMS for view in VIEWS]
    for i, name in enumerate(CURVE_ROWS):
        for j, (arm, view) in enumerate(columns):
            ax = axes[i, j]
            curves(ax, reduced, arm, name, VIEWS[view], numbers=i == len(CURVE_ROWS) - 1)
            if i == 0:
                letter(ax, "abcd"[j], f"{ARM_LABELS[arm]}, {view}")
            ax.set_ylabel(f"mean {OUTCOME_LABELS[name]}" if j == 0 else "")
            if name == "rank":
                ax.set_yscale("log")
                ax.invert_yaxis()
    legend(axes[0, 1], loc="upper right")
    return made


def variance(reduced: xr.Dataset, rows: Rows) -> Figure:
    """Variance of the raw logits over objects and images at every step, and its slope by arm."""
    made = figure(PAGE, 2.6)
    axes = made.subplots(1, 5, width_ratios=[1, 1, 1, 1, 1.1])
    for j, (arm, view) in enumerate((arm, view) for arm in ARMS for view in VIEWS):
        curves(axes[j], reduced, arm, "variance", VIEWS[view], numbers=True)
        letter(axes[j], "abcd"[j], f"{ARM_LABELS[arm]}, {view}")
        axes[j].set_ylabel("variance of raw logit" if j == 0 else "")
    low, high = min(ax.get_ylim()[0] for ax in axes[:4]), max(ax.get_ylim()[1] for ax in axes[:4])
    for ax in axes[:4]:
        ax.set_ylim(max(low, 0), high)
    legend(axes[0], loc="best")
    by_arm(axes[4], rows, "variance", SETS)
    letter(axes[4], "e", "slope by arm, free")
    axes[4].set_xlabel("logit² per 100 tokens")
    return made


def slopes(reduced: xr.Dataset, rows: Rows) -> Figure:
    """Slopes of every outcome by set: of each arm on its own text, and what smoothing changes on the same and on its own tokens."""
    made = figure(PAGE, 4.9)
    shown = [name for name in OUTCOMES if name != "variance"]
    axes = made.subplots(2, len(shown), sharey=True)
    for j, name in enumerate(shown):
        by_arm(axes[0, j], rows, name, PLACES)
        between_arms(axes[1, j], rows, name, PLACES)
        letter(axes[0, j], "abcde"[j], OUTCOME_LABELS[name].removesuffix(" (nat)").removesuffix(" (1 = most probable)"))
        letter(axes[1, j], "fghij"[j], "KVSmooth − none")
        axes[1, j].set_xlabel(f"{OUTCOMES[name]} per 100 tokens")
    legend_below(axes[0, 2])
    legend_below(axes[1, 2])
    return made


PLACES = (*SETS, *CONTRAST_OF_CLASSES, VOCABULARY)


def curves(ax: Axes, reduced: xr.Dataset, arm: str, name: str, sets: tuple[str, ...], *, numbers: bool) -> None:
    """One curve a set, each arm on its own text; under the axis, images with an object of the set."""
    data = reduced.sel(regime="free", arm=arm)
    step = data["step"].values
    counts = {}
    for which in sets:
        one = data.sel(set=which)
        at_risk = np.nan_to_num(one["images_at_risk"].values).astype(int)
        mean, low, high = (one[f"curve_{part}"].sel(curve=name).values for part in ("mean", "low", "high"))
        steps(step, mean, low, high, at_risk=at_risk, colour=SET_COLOURS[which], label=SHORT[which], ax=ax)
        counts[which] = at_risk
    ax.set_xlim(0, last_step([reduced.sel(regime="free", set=which, arm=arm)["images_at_risk"].values for arm in ARMS for which in sets]))
    if numbers:
        ax.set_xlabel("decoding step (tokens)")
        table = {("n " if i == 0 else " " * (i + 1)): (counts[which], SET_COLOURS[which]) for i, which in enumerate(sets)}
        risk_table(step, table, marks=3, ax=ax)


def by_arm(ax: Axes, rows: Rows, outcome: str, places: tuple[str, ...]) -> None:
    """Slopes of both arms, each on its own text; filled where the corrected test rejects."""
    series = []
    for arm, marker in zip(ARMS, "os", strict=True):
        series.append((ARM_LABELS[arm], ARM_COLOURS[arm], marker, _points(rows, "free", outcome, places, arm)))
    _forest(ax, series, places)


def between_arms(ax: Axes, rows: Rows, outcome: str, places: tuple[str, ...]) -> None:
    """Differences of slopes between arms, in both regimes."""
    series = []
    for regime, (marker, colour, words) in REGIME_LOOK.items():
        points = _points(rows, regime, outcome, places, CONTRAST)
        if points:
            series.append((f"{regime} ({words})", colour, marker, points))
    _forest(ax, series, places)


def _points(rows: Rows, regime: str, outcome: str, places: tuple[str, ...], contrast: str) -> list[Point]:
    found = [(len(places) - 1 - place, rows.get("/".join([regime, outcome, which, contrast]))) for place, which in enumerate(places)]
    return [Point(place, row["estimate"], *row["interval"], row["p_adjusted"] < LEVEL) for place, row in found if row is not None]


def _forest(ax: Axes, series: list, places: tuple[str, ...]) -> None:
    forest(series, [SET_LABELS[which] for which in reversed(places)], ax=ax)
    ax.locator_params(axis="x", nbins=4)


