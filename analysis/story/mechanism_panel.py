"""The panels on the mechanism: what each control does on the same tokens to the two things that the paper names."""

from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from analysis.cells.names import BASELINE, PAPER
from analysis.mechanism.findings import NAMES
from analysis.mechanism.measures import MEASURES
from analysis.plots.style import ARM_COLOURS, BETTER
from analysis.story.results import SubjectResults
from analysis.telling.wording import direction

MARKERS = "osD^"
TITLES = {"excess": "attention kept on the image", "angle": "angle to the image"}


def arms_of(subjects: Sequence[SubjectResults]) -> list[str]:
    """The arms that some subject was asked of, KVSmooth first, in the order of the pages."""
    return [arm for arm in NAMES if any(f"{arm} - {BASELINE}/excess" in subject.mechanism for subject in subjects)]


def mechanism(ax: Axes, subjects: Sequence[SubjectResults], measure: str) -> None:
    """The change from no smoothing under each arm, a mark a subject; filled where the corrected test rejects; shaded: the paper's side."""
    arms = arms_of(subjects)
    told = [subject for subject in subjects if subject.mechanism]
    ax.axvline(0, color="0.6", lw=0.6, zorder=0)
    for i, subject in enumerate(told):
        for place, arm in enumerate(arms):
            if (row := subject.mechanism.get(f"{arm} - {BASELINE}/{measure}")) is None:
                continue
            at, colour = place + (i - (len(told) - 1) / 2) * 0.28, ARM_COLOURS["kvsmooth"] if arm == PAPER else "#222222"
            ax.plot(row["interval"], [at, at], color=colour, lw=0.9)
            face = colour if direction(row) else "white"
            ax.plot(row["estimate"], at, MARKERS[i], color=colour, markerfacecolor=face, markersize=3.6)
    left, right = ax.get_xlim()
    ax.axvspan(*((0, right) if MEASURES[measure].sign > 0 else (left, 0)), color=BETTER, alpha=0.1, lw=0, zorder=0)
    ax.set(xlim=(left, right), ylim=(len(arms) - 0.5, -0.5), xlabel=f"Δ {MEASURES[measure].unit}")
    ax.set_yticks(range(len(arms)), [NAMES[arm] for arm in arms])


def subjects_legend(ax: Axes, subjects: Sequence[SubjectResults]) -> None:
    """Which mark is which subject."""
    told = [subject.name for subject in subjects if subject.mechanism]
    marks = [Line2D([], [], marker=MARKERS[i], color="#222222", lw=0, markersize=3.6, label=name) for i, name in enumerate(told)]
    ax.legend(handles=marks, frameon=False, fontsize=5.5, loc="upper left", bbox_to_anchor=(1.0, 1.0))
