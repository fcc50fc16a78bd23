"""The figures of the logits question; every number comes from logits.nc and logits.json."""

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.objects.names import BIN, CONTRAST_OF_CLASSES, OUTCOMES, SETS, VOCABULARY
from analysis.objects.style import OUTCOME_LABELS, OUTCOME_TITLES, REGIME_LOOK, SET_COLOURS, SET_LABELS, SHORT
from analysis.plots.forest import Point, forest
from analysis.plots.steps import last_step, risk_table, steps
from analysis.plots.style import ARM_COLOURS, ARM_LABELS, PAGE, figure, letter
from analysis.question.arms import ARMS, CONTRAST, CONTROL, TREATED
from analysis.telling.wording import LEVEL, Rows

VIEWS = {
    "every step": ("present", "hallucinated", "typical", "other"),
    "until said": ("present unsaid", "hallucinated unsaid", "typical", "other"),
}
CURVE_ROWS = ("logit", "variance", "logprob")
PLACES = (*SETS, *CONTRAST_OF_CLASSES, VOCABULARY)


def draw_all(reduced: xr.Dataset, rows: Rows) -> dict[str, Figure]:
    """Every figure by its file name."""
    return {"logits": logits(reduced), "slopes": slopes(rows)}


def logits(reduced: xr.Dataset) -> Figure:
    """Mean and variance of the logit and mean log-probability: at every step, as the paper has it, and until objects are said."""
    made = figure(PAGE, 5.4)
    axes = made.subplots(len(CURVE_ROWS), 4, sharex=True, sharey="row")
    for i, name in enumerate(CURVE_ROWS):
        for j, (arm, view) in enumerate((arm, view) for arm in ARMS for view in VIEWS):
            ax = axes[i, j]
            curves(ax, reduced, arm, name, VIEWS[view], numbers=i == len(CURVE_ROWS) - 1)
            if i == 0:
                letter(ax, "abcd"[j], f"{'KVSmooth' if arm == TREATED else 'none'}, {view}")
            ax.set_ylabel((OUTCOME_LABELS[name] if name == "variance" else f"mean {OUTCOME_LABELS[name]}") if j == 0 else "")
    handles, names = axes[0, 0].get_legend_handles_labels()
    made.legend(handles, names, loc="outside upper center", ncols=len(names))
    return made


def slopes(rows: Rows) -> Figure:
    """Slopes of every outcome by set: of each arm on its own text, and what smoothing changes on the same and on its own tokens."""
    made = figure(PAGE, 5.0)
    axes = made.subplots(2, len(OUTCOMES), sharey=True)
    for j, name in enumerate(OUTCOMES):
        by_arm(axes[0, j], rows, name)
        between_arms(axes[1, j], rows, name)
        letter(axes[0, j], "abcdef"[j], OUTCOME_TITLES[name])
        letter(axes[1, j], "ghijkl"[j], f"Δ {OUTCOME_TITLES[name]}")
        for ax in axes[:, j]:
            ax.set_xlabel(f"{OUTCOMES[name]} / 100 tok.")
    (first, names), (second, more) = (ax.get_legend_handles_labels() for ax in axes[:, 0])
    made.legend([*first, *second], [*names, *more], loc="outside upper center", ncols=len(names) + len(more), columnspacing=1.0)
    return made


def curves(ax: Axes, reduced: xr.Dataset, arm: str, name: str, sets: tuple[str, ...], *, numbers: bool) -> None:
    """One curve a set, each arm on its own text; under the axis, images with an object of the set."""
    data = reduced.sel(regime="free", arm=arm)
    step, counts = data["step"].values, {}
    for which in sets:
        one = data.sel(set=which)
        counts[which] = np.nan_to_num(one["images_at_risk"].values).astype(int)
        mean, low, high = (one[f"curve_{part}"].sel(curve=name).values for part in ("mean", "low", "high"))
        steps(step, mean, low, high, at_risk=counts[which], colour=SET_COLOURS[which], label=SHORT[which], ax=ax)
    last = max(last_step([reduced.sel(regime="free", set="other", arm=one)["images_at_risk"].values]) for one in ARMS)
    ax.set_xlim(0, step[last] + BIN / 2)
    if numbers:
        ax.set_xlabel("decoding step (tokens)")
        table = {("n" if i == 0 else " " * (i + 1)): (counts[which], SET_COLOURS[which]) for i, which in enumerate(sets)}
        risk_table(step, table, marks=3, ax=ax)


def by_arm(ax: Axes, rows: Rows, outcome: str) -> None:
    """Slopes of the plain model over its whole captions, and of both arms over the steps that both have on their own texts."""
    looks = (("replay", CONTROL, "D", "whole captions"), ("free", CONTROL, "o", "free"), ("free", TREATED, "s", "free"))
    series = [(f"{ARM_LABELS[arm]}, {words}", ARM_COLOURS[arm], mark, regime, arm) for regime, arm, mark, words in looks]
    _forest(ax, [(label, colour, mark, _points(rows, regime, outcome, arm)) for label, colour, mark, regime, arm in series])


def between_arms(ax: Axes, rows: Rows, outcome: str) -> None:
    """Differences of slopes between arms, in both regimes."""
    found = {regime: _points(rows, regime, outcome, CONTRAST) for regime in REGIME_LOOK}
    looks = {regime: REGIME_LOOK[regime] for regime, points in found.items() if points}
    _forest(ax, [(f"Δ, {regime} ({words})", colour, marker, found[regime]) for regime, (marker, colour, words) in looks.items()])


def _points(rows: Rows, regime: str, outcome: str, contrast: str) -> list[Point]:
    found = [(len(PLACES) - 1 - place, rows.get("/".join([regime, outcome, which, contrast]))) for place, which in enumerate(PLACES)]
    return [Point.of(place, row, row["p_adjusted"] < LEVEL) for place, row in found if row is not None]


def _forest(ax: Axes, series: list) -> None:
    forest(series, [SET_LABELS[which] for which in reversed(PLACES)], ax=ax)
    ax.locator_params(axis="x", nbins=3)
