"""The story figure: captions, dose curves, the plane of CHAIR_s and recall, and what smoothing costs a language model."""

from collections.abc import Sequence
from typing import Any

from matplotlib.figure import Figure

from analysis.plots.style import PAGE, figure, letter
from analysis.story.panels import captions, doses, language, plane
from analysis.story.results import Rows, SubjectResults

NOTE = (
    "a: the first test scene of whose caption an object is absent (magenta); grey: words of a run of four that occurred before. Second "
    "row: {validation} validation\nscenes; dashed: the published dose. Third row: {test} test scenes; lines: what leaving out of the "
    "captions without smoothing would give; crosses: controls. Bars: {level:.4g} % intervals."
)


def story(subjects: Sequence[SubjectResults], texts: Rows) -> tuple[Figure, str]:
    """The figure and the note under it; the last subject, the one with a pretrained language model, gives the captions."""
    made = figure(PAGE, 6.3)
    columns = len(subjects)
    grid = made.add_gridspec(3, 2 * columns + (2 if texts else 0), height_ratios=(1.0, 1, 1.1))
    top = made.add_subplot(grid[0, :])
    captions(top, subjects[-1])
    letter(top, "a", f"one scene, described by {subjects[-1].name}")
    place = iter("bcdefgh")
    for i, subject in enumerate(subjects):
        ax = made.add_subplot(grid[1, 2 * i : 2 * i + 2])
        doses(ax, subject)
        letter(ax, next(place), subject.name)
        if i == 0:
            handles, names = ax.get_legend_handles_labels()
            top.legend(handles, names, frameon=False, fontsize=6, loc="lower left", bbox_to_anchor=(0.0, -0.24), ncols=len(names))
    if texts:
        ax = made.add_subplot(grid[1, 2 * columns :])
        language(ax, texts)
        ax.legend(frameon=False, fontsize=5.5)
        letter(ax, next(place), "SmolLM2 reading plain texts")
    wide = grid[2, :].subgridspec(1, columns)
    for i, subject in enumerate(subjects):
        ax = made.add_subplot(wide[0, i])
        plane(ax, subject, labels=i == 0)
        letter(ax, next(place), f"{subject.name}: saying less, or seeing better?")
        if i == 0:
            ax.legend(frameon=False, fontsize=5, loc="upper left")
    numbers: dict[str, Any] = {
        "level": 100 * subjects[0].origin["config"]["level"],
        "validation": " and ".join(str(subject.reduced.sizes["scene"]) for subject in subjects),
        "test": " and ".join(str(subject.origin["n"]) for subject in subjects),
    }
    return made, NOTE.format(**numbers)
