"""The same effects on every subject, one below the other, and how much they differ.

Subjects are those that are bundled, and the other trainings and points of training of which `analysis.grounding` has asked; they are so
few that Q says whether they differ and nothing of the subjects that one might have trained instead.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from scipy.stats import norm

from analysis.captions.measures import MEASURES
from analysis.cells.measures import MEASURES as CELLS
from analysis.plots.style import ARM_COLOURS, DOSE_COLOUR, PAGE, figure, letter
from analysis.question.question import stored_rows
from analysis.stats.heterogeneity import heterogeneity

DOSES = (0.3, 0.7)
SHOWN = ("chair_s", "chair_i", "recall", "looping")
COLOURS = {0.3: DOSE_COLOUR, 0.7: ARM_COLOURS["kvsmooth"]}
POINTS = {"early": "early in training", "middle": "middle of training", "last": "end of training", "seed1": "without short lists"}
MARKS = {0.3: "o", 0.7: "s"}
NOTE = (
    "Change from no smoothing on test scenes ({scenes}).\n"
    "Bars: {level} % cluster BCa intervals over images, filled where corrected p < 0.05. Below: Cochran's Q over the subjects, and\n"
    "the share of their variation that is not chance (I²); points of training share model and scenes, Q takes them for independent."
)
Rows = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class ForestMark:
    """One change on one subject: its interval of this coverage, how many scenes, and whether its corrected test rejects.

    Attributes
    ----------
    commit : of the code that found it
    """

    subject: str
    dose: float
    measure: str
    estimate: float
    interval: tuple[float, float]
    n: int
    rejects: bool
    level: float
    commit: str

    @property
    def error(self) -> float:
        """The standard error of a normal interval as wide as this one."""
        return (self.interval[1] - self.interval[0]) / (2 * norm.ppf((1 + self.level) / 2))


def effects(figures: Path) -> list[ForestMark]:
    """What lies there of emoji's doses, of its other trainings, and of the points of training of smollm2; subjects in that order.

    Raises
    ------
    BadInput : a file is damaged, or of another subject
    """
    found = []
    ablation = _results(figures / "emoji" / "ablation" / "ablation.json", "emoji")
    for dose in DOSES:
        cell = "kvsmooth" if dose == 0.7 else f"lambda_ref {dose:g}"
        found += _of(ablation, {name: f"{cell} - baseline/{name}" for name in SHOWN}, "emoji", dose)
    for subject, question, left in (("emoji", "grounding_anew", ("last",)), ("smollm2", "grounding_three", ())):
        grounding = _results(figures / subject / question / "grounding.json", subject)
        points = dict.fromkeys(str(row["where"]["point"]) for row in grounding.rows.values() if "point" in row["where"])
        for point in points:
            for dose in DOSES if point not in left else ():
                rows = {name: f"{point}/{name}/{dose:g} - 0" for name in SHOWN}
                found += _of(grounding, rows, f"{subject}, {POINTS.get(point, point)}", dose)
    return found


def forest(found: Sequence[ForestMark]) -> tuple[Figure, str]:
    """The figure, and the note under it."""
    subjects = list(dict.fromkeys(one.subject for one in found))
    made = figure(PAGE, 1.25 + 0.34 * len(subjects))
    axes = made.subplots(1, len(SHOWN), sharey=True)
    for at, (ax, measure) in enumerate(zip(axes, SHOWN, strict=True)):
        panel(ax, measure, [one for one in found if one.measure == measure], subjects)
        letter(ax, "abcd"[at], MEASURES[measure].label)
    axes[0].set_yticks(range(len(subjects)), [name.replace(", ", ",\n") for name in subjects])
    axes[0].set_ylim(len(subjects) - 0.5, -0.5)
    handles = [axes[0].plot([], [], MARKS[dose], color=COLOURS[dose], markersize=4, label=f"lambda_ref {dose:g}")[0] for dose in DOSES]
    made.legend(handles=handles, loc="outside upper right", ncols=len(DOSES))
    scenes = ", ".join(f"{subject}: {next(one.n for one in found if one.subject == subject)}" for subject in subjects)
    levels = ", ".join(f"{100 * level:g}" for level in dict.fromkeys(one.level for one in found))
    return made, NOTE.format(scenes=scenes, level=levels)


def origin(found: Sequence[ForestMark]) -> dict[str, Any]:
    """What stands in and under the figure: the subjects, and the commit of each one's results, of which the line shows the last."""
    commits = {one.subject: one.commit for one in found}
    return {"git_commit": found[-1].commit, "model_id": ", ".join(dict.fromkeys(name.partition(",")[0] for name in commits)), "of": commits}


def panel(ax: Axes, measure: str, found: Sequence[ForestMark], subjects: Sequence[str]) -> None:
    """One measure: a row a subject, a colour a dose, and below the axis how much the subjects differ at each."""
    ax.axvline(0, color="0.8", lw=0.7, zorder=0)
    told = []
    for shift, dose in zip((-0.13, 0.13), DOSES, strict=True):
        own = [one for one in found if one.dose == dose]
        for one in own:
            at = subjects.index(one.subject) + shift
            ax.plot([100 * end for end in one.interval], [at, at], color=COLOURS[dose], lw=1.1)
            face = COLOURS[dose] if one.rejects else "white"
            ax.plot(100 * one.estimate, at, MARKS[dose], color=COLOURS[dose], markerfacecolor=face, markersize=4)
        apart = heterogeneity(*np.array([(one.estimate, one.error) for one in own], dtype=float).reshape(-1, 2).T)
        if apart is not None:
            p = "< 0.001" if apart.p < 0.001 else f"= {apart.p:.3f}"
            told.append(f"{dose:g}: Q {apart.q:.0f}, p {p}, I² {100 * apart.i2:.0f} %")
    better = {True: "points; higher is better", False: "points; lower is better", None: "points"}[CELLS[measure].higher_is_better]
    ax.set_xlabel("\n".join([better, *told]), fontsize=6)


@dataclass(frozen=True)
class _Results:
    rows: Rows
    level: float = 0.95
    commit: str = ""


def _results(path: Path, subject: str) -> _Results:
    rows = stored_rows(path, subject)
    if not rows:
        return _Results({})
    told = json.loads(path.read_text(encoding="utf-8")).get("provenance", {})
    return _Results(rows, float(told.get("config", {}).get("level", 0.95)), str(told.get("git_commit", "")))


def _of(results: _Results, names: Mapping[str, str], subject: str, dose: float) -> list[ForestMark]:
    found = []
    for measure, name in names.items():
        if (row := results.rows.get(name)) is not None:
            low, high = row["interval"]
            about = (row["n"], row["p_adjusted"] < 0.05, results.level, results.commit)
            found.append(ForestMark(subject, dose, measure, row["estimate"], (low, high), *about))
    return found
