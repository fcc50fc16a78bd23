"""The three figures: methods in the plane of CHAIR_s and recall, repetition by method, hallucination by position."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from analysis.omission.line import MEASURES as OMITTED
from analysis.plots.labels import names as write_names
from analysis.plots.style import ARM_COLOURS, BLACK, OTHERS, PAGE, figure, letter
from analysis.published.claim import BASELINE as UNCHANGED
from analysis.published.claim import pooled, published_rows
from analysis.published.logs import BASELINE
from analysis.published.names import names, of_model
from analysis.published.style import LINE_COLOUR, LINE_LOOKS, MARKERS, ORACLE_COLOUR, VERDICT_COLOURS

Rows = Mapping[str, Mapping[str, Any]]
Spots = tuple[list[tuple[str, tuple[float, float]]], list[tuple[float, float]]]
"""Names with their points, and further points that names should leave free."""
CHAIR_S, RECALL, F1 = (OMITTED.index(name) for name in ("chair_s", "recall", "f1"))
NOTES = {
    "plane": (
        "Points: logs of about 500 captions against the greedy log of the same model and repository, same images; bars {level:.4g} % "
        "cluster BCa.\n"
        "Lines: what dropping ever more of the greedy captions gives, all repositories of a model together. Verdicts by corrected tests."
    ),
    "text": "Points: ratios of sums over a log's captions; bars {level:.4g} % cluster BCa over images. Filled: greedy logs. NLL: under "
    "SmolLM2-135M-Instruct, "
    "which sees no image; the first images of each log.",
    "position": (
        "Points: ratios of sums over a log's captions; bands {level:.4g} % cluster BCa over images. a: the first greedy log of each "
        "model.\n"
        "By object: the first, second, ... different object that a caption names; later mentions of an object do not count."
    ),
}


def draw_all(rows: Rows, found: Mapping[str, Any], level: float) -> dict[str, tuple[Figure, str]]:
    """Every figure by its file name, with the note under it."""
    made = {"text": text(rows, found), "position": position(rows, found)}
    if found["verdicts"]:
        made = {"plane": plane(rows, found)} | made
    return {name: (drawn, NOTES[name].format(level=level)) for name, drawn in made.items()}


def plane(rows: Rows, found: Mapping[str, Any]) -> Figure:
    """a: the model with most methods; b: the other models; c: the published rows of the first model."""
    held = {model: [log["name"] for log in logs] for model, logs in of_model(found["logs"]).items()}
    told = found["verdicts"]
    models = [model for model in held if any(one["log"] in held[model] for one in told)]
    made = figure(PAGE, 3.9)
    axes = made.subplots(1, 3, width_ratios=(1.25, 1.0, 1.0))
    spots = [
        changes(axes[0], rows, found, models[:1], "a", models[0]),
        changes(axes[1], rows, found, models[1:], "b", "other models" if len(models) > 1 else "no other model"),
        published(axes[2], rows, found, models[0]),
    ]
    axes[1].set_ylabel("")
    axes[1].tick_params(labelleft=False)
    kinds = list(dict.fromkeys(one["verdict"] for one in told))
    spot: dict[str, Any] = {"marker": "o", "lw": 0, "markersize": 4.5, "markeredgecolor": "0.3", "markeredgewidth": 0.5}
    handles = [Line2D([], [], color=VERDICT_COLOURS[kind], label=kind, **spot) for kind in VERDICT_COLOURS if kind in kinds]
    lines = [Line2D([], [], color=_colour(name), ls=dashes, lw=1.0, label=label) for name, (label, dashes) in LINE_LOOKS.items()]
    made.legend(handles=handles + lines, loc="outside upper center", ncols=4, columnspacing=1.2, handlelength=2.4)
    made.get_layout_engine().execute(made)  # which places are free is judged at the size that the axes will have
    for ax, (named, others) in zip(axes, spots, strict=True):
        _write(ax, named, others)
    return made


def changes(ax: Axes, rows: Rows, found: Mapping[str, Any], models: Sequence[str], mark: str, title: str) -> Spots:
    """Changes of recall and CHAIR_s from each log's own baseline, with the omission lines of the model's baselines; what is to be named."""
    model_of, called = {log["name"]: log["model"] for log in found["logs"]}, names(found["logs"])
    spots, others = [], [(0.0, 0.0)]
    for which, model in enumerate(models):
        curves = pooled(found["lines"], model_of, model)
        for name, curve in curves.items():
            if len(models) == 1 or name in ("random mention", "oracle mention"):
                near = curve[:, RECALL] - curve[-1, RECALL] > -0.3
                xy = 100 * (curve - curve[-1])[near]
                ax.plot(xy[:, RECALL], xy[:, CHAIR_S], color=_colour(name), ls=LINE_LOOKS[name][1], lw=0.9, zorder=1)
                others += [tuple(point) for point in xy[:, [RECALL, CHAIR_S]]]
        for one in found["verdicts"]:
            if model_of[one["log"]] != model:
                continue
            change = [rows[f"{one['log']} - {one['baseline']}/{name}"] for name in ("recall", "chair_s")]
            x, y = (100 * row["estimate"] for row in change)
            bars = [[[abs(100 * (limit - row["estimate"]))] for limit in row["interval"]] for row in change]
            look: dict[str, Any] = {"ms": 4.5, "mec": "0.3", "mew": 0.5, "ecolor": "0.75", "elinewidth": 0.6, "zorder": 3}
            ax.errorbar(x, y, xerr=bars[0], yerr=bars[1], fmt=MARKERS[which], color=VERDICT_COLOURS[one["verdict"]], **look)
            spots.append((called[one["log"]] if len(models) == 1 else f"{called[one['log']]}, {_bare(model)}", (x, y)))
    ax.axhline(0, color="0.85", lw=0.6, zorder=0)
    ax.axvline(0, color="0.85", lw=0.6, zorder=0)
    ax.plot(0, 0, marker="+", color="0.2", ms=6, zorder=2)
    ax.set_xlabel("recall, change (points)")
    ax.set_ylabel("CHAIR_s, change (points)")
    letter(ax, mark, title)
    ax.set_xlim(-14, 17)
    ax.set_ylim(-31, 10)
    return [*spots, ("greedy", (0.0, 0.0))], others


def published(ax: Axes, rows: Rows, found: Mapping[str, Any], model: str) -> Spots:
    """CHAIR_s by its ratio to the own baseline and the change of F1: published rows among measured methods and omission lines."""
    model_of = {log["name"]: log["model"] for log in found["logs"]}
    spots, others = [], []
    for name, curve in pooled(found["lines"], model_of, model).items():
        if not curve[-1, CHAIR_S]:
            continue  # of captions that name no absent object there is no ratio
        x, y = curve[:, CHAIR_S] / curve[-1, CHAIR_S], 100 * (curve[:, F1] - curve[-1, F1])
        near = y > -12
        ax.plot(x[near], y[near], color=_colour(name), ls=LINE_LOOKS[name][1], lw=0.9, zorder=1)
        others += [*zip(x[near], y[near], strict=True)]
    for one in found["verdicts"]:
        against = rows[f"{one['baseline']}/chair_s"]["estimate"]
        if model_of[one["log"]] == model and against:
            x = rows[f"{one['log']}/chair_s"]["estimate"] / against
            y = 100 * rows[f"{one['log']} - {one['baseline']}/f1"]["estimate"]
            ax.plot(x, y, marker="o", ms=4, mec="0.3", mew=0.5, lw=0, color=VERDICT_COLOURS[one["verdict"]], zorder=3)
            others.append((x, y))
    told = published_rows(model)
    for method, (chair_s, f1) in told.items():
        if method != UNCHANGED:
            x, y = chair_s / told[UNCHANGED][0], 100 * (f1 - told[UNCHANGED][1])
            size, colour = (8, ARM_COLOURS["kvsmooth"]) if method == "KVSmooth" else (5.5, BLACK)
            ax.plot(x, y, marker="*", ms=size, mec=colour, mfc="none", mew=0.9, lw=0, zorder=4)
            spots.append((method, (x, y)))
    ax.axhline(0, color="0.85", lw=0.6, zorder=0)
    ax.plot(1, 0, marker="+", color="0.2", ms=6, zorder=2)
    ax.set_xlim(-0.2, 1.6)
    ax.set_ylim(-8, 7)
    ax.set_xlabel("CHAIR_s, ratio to baseline")
    ax.set_ylabel("F1, change (points)")
    letter(ax, "c", f"{_bare(model)}, published rows: stars")
    return spots, others


def text(rows: Rows, found: Mapping[str, Any]) -> Figure:
    """Repeated 4-grams, looping captions, objects named again at once and unfinished captions, a line a log."""
    called, models = names(found["logs"]), of_model(found["logs"])
    measures = {
        "repeated_4grams": "repeated 4-grams",
        "looping": "looping",
        "echoes": "named again",
        "unfinished": "unfinished",
    } | ({"fluency": "NLL"} if any(name.endswith("/fluency") for name in rows) else {})
    shown = [log for logs in models.values() for log in logs]
    made = figure(PAGE, 1.1 + 0.135 * (len(shown) + len(models)))
    axes = made.subplots(1, len(measures), sharey=True)
    for which, (ax, (measure, title)) in enumerate(zip(axes, measures.items(), strict=True)):
        at, ticks, heads = 0.0, [], []
        for model, logs in models.items():
            heads.append((at, model))
            at += 1
            for log in logs:
                row, scale = rows[f"{log['name']}/{measure}"], 1 if measure == "fluency" else 100
                low, high = (limit if np.isfinite(limit) else row["estimate"] for limit in row["interval"])
                ax.plot([scale * low, scale * high], [at, at], color="0.6", lw=0.9, zorder=1)
                colour = "#222222" if log["method"] == BASELINE else "white"
                ax.plot(scale * row["estimate"], at, marker="o", ms=3.4, mfc=colour, mec="#222222", mew=0.7, zorder=2)
                ticks.append((at, called[log["name"]]))
                at += 1
            at += 0.4
        ax.set_yticks([place for place, _ in ticks], [name for _, name in ticks], fontsize=5.5)
        for place, model in heads:
            ax.axhspan(place - 0.5, place + 0.5, color="0.94", lw=0, zorder=0)
            if which == 0:
                ax.annotate(
                    model,
                    (0, place),
                    xycoords=("axes fraction", "data"),
                    xytext=(3, 0),
                    textcoords="offset points",
                    fontsize=5.5,
                    va="center",
                    fontweight="bold",
                )
        ax.set_ylim(at - 0.4, -0.6)
        if measure == "fluency":
            ax.set_xlim(left=0)
            ax.set_xlabel("nat a token")
        else:
            ax.set_xscale("symlog", linthresh=1, linscale=0.6)
            ax.set_xlim(-0.08, 130)
            ax.set_xticks([0, 1, 10, 100], ["0", "1", "10", "100"])
            ax.set_xlabel("%")
        ax.grid(axis="x", color="0.92", lw=0.5, zorder=0)
        letter(ax, "abcde"[which], title)
    return made


def position(rows: Rows, found: Mapping[str, Any]) -> Figure:
    """a: the share of absent ones among the first, second, ... object, a greedy log a model; b: CHAIR_i by thirds, a line a log."""
    models = of_model(found["logs"])
    made = figure(PAGE, 3.2)
    left, right = made.subplots(1, 2, width_ratios=(1, 1))
    for which, (model, logs) in enumerate(models.items()):
        first = next((log for log in logs if log["method"] == BASELINE), logs[0])
        by_object(left, rows, first["name"], OTHERS[which % len(OTHERS)], MARKERS[which % len(MARKERS)], model)
    left.legend(loc="upper left")
    left.set_xlabel("first, second, ... object of a caption")
    left.set_ylabel("absent (%)")
    left.set_ylim(0, 100)
    letter(left, "a", "by how much was said before")
    model = next(iter(models))
    thirds(right, rows, models[model], names(found["logs"]))
    letter(right, "b", f"{_bare(model)}, by third of the caption")
    return made


def by_object(ax: Axes, rows: Rows, log: str, colour: str, marker: str, label: str) -> None:
    """The curve of one log, with its band; objects that fewer than 50 captions come to are left out."""
    told = [row for place in range(1, 13) if (row := rows.get(f"{log}/object {place}")) is not None and row["n"] >= 50]
    x, y = np.arange(1, len(told) + 1), 100 * np.array([row["estimate"] for row in told])
    low, high = (100 * np.array([row["interval"][side] for row in told]) for side in (0, 1))
    ax.fill_between(x, np.where(np.isfinite(low), low, y), np.where(np.isfinite(high), high, y), color=colour, alpha=0.12, lw=0)
    ax.plot(x, y, color=colour, marker=marker, ms=3, mfc="white", lw=1.0, label=label)


def thirds(ax: Axes, rows: Rows, logs: Sequence[Mapping[str, Any]], called: Mapping[str, str]) -> None:
    """Three points a log: CHAIR_i of the first, the middle and the last third."""
    shades = {"first": "0.9", "middle": "0.6", "last": "0.2"}
    for at, log in enumerate(logs):
        values = [100 * rows[f"{log['name']}/hallucinated_{part}"]["estimate"] for part in shades]
        ax.plot(values, [at] * 3, color="0.8", lw=1.0, zorder=1)
        for value, (part, colour) in zip(values, shades.items(), strict=True):
            ax.plot(value, at, marker="o", ms=4, mfc=colour, mec="0.3", mew=0.4, lw=0, label=f"{part} third" if at == 0 else None, zorder=2)
    ax.set_yticks(range(len(logs)), [called[log["name"]] for log in logs], fontsize=5.5)
    ax.set_ylim(len(logs) - 0.4, -0.6)
    ax.set_xlim(left=0)
    ax.set_xlabel("CHAIR_i (%)")
    ax.legend(loc="lower center", bbox_to_anchor=(0.3, -0.36), ncols=3, columnspacing=0.8, handletextpad=0.1)


def _write(ax: Axes, spots: Sequence[tuple[str, tuple[float, float]]], others: Sequence[tuple[float, float]]) -> None:
    """Names beside points, where the axes do not make room for them by shrinking."""
    before = set(ax.texts)
    write_names(ax, spots, [point for point in others if np.isfinite(point).all()])
    for one in set(ax.texts) - before:
        one.set_in_layout(False)


def _colour(name: str) -> str:
    return ORACLE_COLOUR if name.startswith("oracle") else LINE_COLOUR


def _bare(model: str) -> str:
    return model.removesuffix("-7B")
