"""The story figure: captions, dose curves, the plane of CHAIR_s and recall, what smoothing costs a language model, and the mechanism."""

from typing import Any

from matplotlib.figure import Figure

from analysis.plots.style import PAGE, figure, letter
from analysis.story.mechanism_panel import TITLES, mechanism, subjects_legend
from analysis.story.panels import captions, doses, language, plane, real_captions
from analysis.story.results import StorySources

NOTE = (
    "a: the first test scene of whose caption an object is absent (magenta); grey: words of a run of four that occurred before, of which "
    "loops are made. Second row: {validation} validation\nscenes; dashed: the published dose. Third row: {test} test scenes; lines: what "
    "leaving out mentions or sentences would give, at random and by the best of six rules;\nblack: controls; pentagons: logs beside "
    "greedy ones (blue), named if they lower CHAIR, without intervals.{mechanism} Bands and bars: {level:.4g} % intervals."
)
SAME_TOKENS = "\nLast row: KVSmooth and its controls on the same tokens minus none; shaded: the side that the paper names."


def story(told: StorySources) -> tuple[Figure, str]:
    """The figure and the note under it; the last subject, the one with a pretrained language model, gives the captions."""
    subjects = told.subjects
    with_mechanism = any(subject.mechanism for subject in subjects)
    ratios = (1.0, 1, 0.16, 1.2, *([0.95] if with_mechanism else []))
    made = figure(PAGE, 8.2 if with_mechanism else 6.6)
    rows = made.add_gridspec(len(ratios), 1, height_ratios=ratios)
    top = made.add_subplot(rows[0])
    captions(top, subjects[-1])
    letter(top, "a", f"one scene, described by {subjects[-1].name}")
    place = iter("bcdefghij")
    middle = rows[1].subgridspec(1, len(subjects) + bool(told.texts))
    for i, subject in enumerate(subjects):
        ax = made.add_subplot(middle[i])
        doses(ax, subject)
        letter(ax, next(place), f"{subject.name}, by dose")
        if i == 0:
            handles, names = ax.get_legend_handles_labels()
            top.legend(handles, names, frameon=False, fontsize=6, loc="lower left", bbox_to_anchor=(0.0, -0.24), ncols=len(names))
    if told.texts:
        ax = made.add_subplot(middle[len(subjects)])
        language(ax, told.texts)
        ax.legend(frameon=False, fontsize=5.5)
        letter(ax, next(place), "SmolLM2 reading plain texts")
    key, bottom = made.add_subplot(rows[2]), rows[3].subgridspec(1, len(subjects) + bool(told.logs))
    key.set_axis_off()
    for i, subject in enumerate(subjects):
        ax = made.add_subplot(bottom[i])
        plane(ax, subject)
        letter(ax, next(place), f"{subject.name}: better, or less said?")
        if i == 0:
            key.legend(*ax.get_legend_handles_labels(), frameon=False, fontsize=5.5, loc="center", ncols=5, columnspacing=1.2)
    if told.logs:
        ax = made.add_subplot(bottom[len(subjects)])
        real_captions(ax, told.logs)
        letter(ax, next(place), "real captions, LLaVA-1.5-7B")
    if with_mechanism:
        last = rows[4].subgridspec(1, len(TITLES))
        for i, (measure, title) in enumerate(TITLES.items()):
            ax = made.add_subplot(last[i])
            mechanism(ax, subjects, measure)
            letter(ax, next(place), title)
            if i:
                ax.set_yticklabels([])
                subjects_legend(ax, subjects)
    numbers: dict[str, Any] = {
        "mechanism": SAME_TOKENS if with_mechanism else "",
        "level": 100 * subjects[0].origin["config"]["level"],
        "validation": " and ".join(dict.fromkeys(str(subject.reduced.sizes["scene"]) for subject in subjects)),
        "test": " and ".join(dict.fromkeys(str(subject.origin["n"]) for subject in subjects)),
    }
    return made, NOTE.format(**numbers)
