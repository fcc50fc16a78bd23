"""The panels of the story figure."""

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patheffects import withStroke

from analysis.dose.controls import CONTROLS
from analysis.dose.findings import CHOSEN, NONE, PUBLISHED
from analysis.metrics.chair import score_caption
from analysis.omission.line import lowest
from analysis.omission.stored import lines_of
from analysis.plots.style import ARM_COLOURS, CONSTANT_COLOUR, DOSE_COLOUR, NULL_COLOUR, OBJECT_COLOURS
from analysis.published.verdict import NOT_LOWERING
from analysis.story.captions import ABSENT, AGAIN, PLAIN, lines, marked
from analysis.story.results import RealLog, Rows, SubjectResults
from analysis.story.sentences import END_BIAS

COLOURS = {NONE: ARM_COLOURS["baseline"], CHOSEN: DOSE_COLOUR, PUBLISHED: ARM_COLOURS["kvsmooth"]}
WORDS = {PLAIN: "#222222", ABSENT: OBJECT_COLOURS["hallucinated"], AGAIN: "#B0B0B0"}
CURVES = {
    "chair_s": (OBJECT_COLOURS["hallucinated"], "o", "captions with an absent object"),
    "recall": (OBJECT_COLOURS["present"], "s", "objects there that are named (recall)"),
    "looping": ("#8A8A8A", "^", "captions that loop"),
}
ARMS = {NONE: ("no smoothing", (4, -8)), CHOSEN: ("chosen dose", (3, -10)), PUBLISHED: ("published dose", (-5, 4))}
MARKS = {"mean": "x", "permuted": "+", "norm_preserving": "^", "shrink_only": "v", "random_direction": "D"}
DRAWN_WITHIN = {"spoon": "bowl"}
"""Objects that the glyph of another one shows too: OpenMoji's bowl has a spoon in it, which the annotation does not name."""
WHAT = "KVSmooth mixes each newest key and\nvalue with those of the token before,\nby a rate within 0.2 of lambda_ref,\nthe dose."
FONT = 5.1
NAME_HEIGHT, NAME_WIDTH = 4.5, 8.0
"""Percent of the panel of real captions by which names stand apart, and within which they would touch."""
WIDTH = 62
"""Characters of a line of a caption."""


def scene_of(subject: SubjectResults) -> tuple[Any, int]:
    """The first kept scene of whose caption without smoothing an object is absent, and drawn nowhere; its number among the kept ones."""
    from probes.subjects.bundled import own_scenes

    examples = json.loads(subject.reduced.attrs["examples"])
    for i, scene in enumerate(own_scenes(subject.name, len(examples[NONE]))):
        absent = {mention.object for mention in score_caption(examples[NONE][i], scene.names).mentions if mention.hallucinated}
        if any(DRAWN_WITHIN.get(name) not in scene.names for name in absent):
            return scene, i
    return own_scenes(subject.name, 1)[0], 0


def captions(ax: Axes, subject: SubjectResults) -> None:
    """A scene and what is said of it: without smoothing, at the chosen and at the published dose."""
    scene, i = scene_of(subject)
    examples = json.loads(subject.reduced.attrs["examples"])
    ax.set_axis_off()
    picture = ax.inset_axes((0.0, 0.2, 0.2, 0.72))
    picture.imshow(scene.image, interpolation="nearest")
    picture.set_axis_off()
    ax.text(0.0, 0.15, WHAT, transform=ax.transAxes, fontsize=FONT, color="0.25", va="top", linespacing=1.25)
    arms = [arm for arm in (NONE, CHOSEN, PUBLISHED) if arm in examples]
    height = 1 / len(arms)
    dose = {NONE: "no smoothing", CHOSEN: f"dose chosen on other scenes: {subject.origin['chosen']:g}"}
    dose[PUBLISHED] = f"published dose: {subject.origin['config']['lambda_ref']:g}"
    for place, arm in enumerate(arms):
        top = 1 - place * height
        ax.text(0.225, top, dose[arm], transform=ax.transAxes, fontsize=FONT + 0.9, fontweight="bold", color=COLOURS[arm], va="top")
        for row, line in enumerate(lines(marked(examples[arm][i], scene.names), WIDTH * 2, 5 if len(arms) < 3 else 4)):
            at = 0
            for word in line:
                place_of = (0.225 + at * 0.775 / (2 * WIDTH), top - height * (0.2 + 0.19 * row))
                weight = "bold" if word.kind == ABSENT else "normal"
                told: dict[str, Any] = {
                    "fontsize": FONT,
                    "family": "monospace",
                    "color": WORDS[word.kind],
                    "fontweight": weight,
                    "va": "top",
                }
                ax.text(*place_of, word.text, transform=ax.transAxes, **told)
                at += len(word.text) + 1


def doses(ax: Axes, subject: SubjectResults) -> None:
    """CHAIR_s, recall and looping captions over dose, on the validation scenes."""
    values = [float(dose) for dose in subject.reduced["dose"].values]
    for name, (colour, marker, label) in CURVES.items():
        found = [subject.dose[f"validation/{name}/{value:g}"] for value in values]
        low, high = (
            np.array([row["interval"][side] if math.isfinite(row["interval"][side]) else row["estimate"] for row in found])
            for side in (0, 1)
        )
        ax.fill_between(values, low, high, color=colour, alpha=0.15, lw=0)
        ax.plot(values, [row["estimate"] for row in found], color=colour, marker=marker, markersize=3, lw=1.1, label=label)
    ax.axvline(subject.origin["config"]["lambda_ref"], color=COLOURS[PUBLISHED], lw=0.7, ls=(0, (3, 2)))
    ax.set(ylim=(0, 1.02), xlabel="dose (lambda_ref)", ylabel="share")


def plane(ax: Axes, subject: SubjectResults) -> None:
    """CHAIR_s against recall on test scenes: arms, controls and what leaving out would give."""
    arms = {arm: subject.dose.get(f"test/recall/{arm}") for arm in ARMS}
    least = 100 * min(row["estimate"] for row in arms.values() if row is not None) - 14
    controls = [subject.dose.get(f"test/recall/{name}") for name in MARKS]
    controls.append(subject.methods.get(f"{END_BIAS}/recall"))
    least = min([least, *(100 * row["interval"][0] - 1 for row in controls if row is not None)])
    for name, marker in MARKS.items():
        point(ax, subject.dose, f"test/{{}}/{name}", "#222222", marker, CONTROLS[name])
    point(ax, subject.methods, f"{END_BIAS}/{{}}", "#222222", "s", "a bias of the end token")
    left_out = lines_of(subject.reduced)
    recall = np.linspace(least / 100, subject.dose[f"test/recall/{NONE}"]["estimate"], 60)
    for drawn, style, label in ((left_out[:1], (0, (4, 2)), "leave out mentions at random"), (left_out, "-", "leave out by the best rule")):
        ax.plot(100 * recall, 100 * lowest(drawn, "chair_s", recall), color=NULL_COLOUR, ls=style, lw=0.9, label=label, zorder=1)
    for arm, (label, at) in ARMS.items():
        if arms[arm] is not None:
            point(ax, subject.dose, f"test/{{}}/{arm}", COLOURS[arm], "o", "")
            x, y = (100 * subject.dose[f"test/{name}/{arm}"]["estimate"] for name in ("recall", "chair_s"))
            if arm == PUBLISHED and y < 100 * subject.dose[f"test/chair_s/{NONE}"]["estimate"]:
                at = (-7, -9)  # away from the dashed line
            side = "left" if at[0] > 0 else "right"
            written = ax.annotate(label, (x, y), at, textcoords="offset points", fontsize=FONT, color=COLOURS[arm], ha=side, zorder=6)
            written.set_path_effects([withStroke(linewidth=1.6, foreground="white")])
    ax.set_xlim(least, None)
    ax.set(ylim=(0, None), xlabel="objects named (recall, %)", ylabel="captions with an\nabsent object (%)")
    ax.text(
        0.98,
        0.03,
        "below the solid line, left of no\nsmoothing: better than saying less",
        transform=ax.transAxes,
        fontsize=FONT,
        color=NULL_COLOUR,
        ha="right",
        va="bottom",
    )


def point(ax: Axes, rows: Rows, name: str, colour: str, marker: str, label: str) -> None:
    """An arm in the plane with both intervals."""
    pair = [rows.get(name.format(measure)) for measure in ("recall", "chair_s")]
    if None in pair:
        return
    x, y = (100 * row["estimate"] for row in pair)
    ax.hlines(y, *(100 * limit for limit in pair[0]["interval"]), color=colour, lw=0.5)
    ax.vlines(x, *(100 * limit for limit in pair[1]["interval"]), color=colour, lw=0.5)
    ax.plot(
        x,
        y,
        marker,
        color=colour,
        markerfacecolor=colour if marker == "o" else "white",
        markersize=4.5,
        zorder=4,
        lw=0,
        label=label or None,
    )


def language(ax: Axes, rows: Rows) -> None:
    """Perplexity of ordinary texts over the mean rate, guided and constant."""
    for family, label, colour, marker in (
        ("dose", "guided by entropy", ARM_COLOURS["kvsmooth"], "o"),
        ("constant", "constant rate", CONSTANT_COLOUR, "s"),
    ):
        arms = [row["where"]["arm"] for row in rows.values() if row["where"].get("measure") == "rate" and row["where"]["family"] == family]
        arms += ["kvsmooth"] if family == "dose" else []
        at = sorted((rows[f"{arm}/rate"]["estimate"], rows[f"{arm} - baseline/nll"]["estimate"]) for arm in arms)
        ax.plot(
            [0, *(rate for rate, _ in at)],
            [1, *(math.exp(nll) for _, nll in at)],
            color=colour,
            marker=marker,
            markersize=3,
            lw=1.1,
            label=label,
        )
    ax.set(xlabel="mean rate", ylabel="perplexity ×", ylim=(0.9, None))


def real_captions(ax: Axes, logs: Sequence[RealLog], model: str = "LLaVA-1.5-7B") -> None:
    """CHAIR_s against looping captions of logs of one model: greedy ones (blue), those compared with one; named, those that lower CHAIR."""
    shown = [log for log in logs if log.model == model and (log.verdict or log.method == "greedy")]
    placed: list[tuple[float, float]] = []
    for log in sorted(shown, key=lambda log: -log.chair_s):
        greedy, (x, y) = log.method == "greedy", (100 * log.looping, 100 * log.chair_s)
        ax.plot(x, y, "o" if greedy else "p", color=COLOURS[NONE] if greedy else "#222222", markersize=4)
        if not greedy and log.verdict not in NOT_LOWERING:
            height = min([y, *(below - NAME_HEIGHT for at, below in placed if abs(at - x) < NAME_WIDTH)])
            placed.append((x, height))
            ax.text(x + 1.2, height, log.method.partition(" ")[0], fontsize=FONT, va="center")
    ax.set(xlabel="captions that loop (%)", ylabel="captions with an\nabsent object (%)", ylim=(0, None))
    ax.set_xlim(-1.5, 130 * max((log.looping for log in shown), default=0.0) + 1)
