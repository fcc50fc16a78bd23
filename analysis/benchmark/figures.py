"""The figure of a benchmark: what each method reaches, and its paired difference to the baseline; every number from benchmark.json."""

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.benchmark.names import BASELINE
from analysis.benchmark.published import Published, published
from analysis.benchmark.table import heading, shown
from analysis.metrics.chair import MEASURES as CHAIR
from analysis.metrics.metric import is_share
from analysis.plots.forest import Point, forest
from analysis.plots.style import ARM_COLOURS, ARM_LABELS, CONSTANT_COLOUR, DOSE_COLOUR, OTHERS, PAGE, figure, house, letter, save

Found = Mapping[str, Any]
ALPHA = 0.05
MARKERS = ("o", "s", "D", "^", "v", "P", "X")
PUBLISHED = {"baseline": BASELINE, "KVSmooth": "kvsmooth"}
NOTE = (
    "Micro-averages over {images} images, {level:g} % BCa intervals that resample images. b: filled where p < 0.05, exchange of methods "
    "within images,\nHolm over methods × primary measures, and apart over the others."
)


def draw(found: Found, home: Path) -> list[Path]:
    """Write the figure as SVG and PNG; returns the paths."""
    about, made_by = found["about"], found["provenance"]
    model = {"model_id": made_by["model"]["id"], "model_revision": made_by["model"]["revision"], "dtype": made_by["model"]["dtype"]}
    hash_ = made_by["data"].get("annotations", "")
    told = {"git_commit": made_by["git_commit"], **model, "data_hash": hash_, "n": about["images"], "seed": made_by.get("seed", 0)}
    note = NOTE.format(images=about["images"], level=100 * made_by["config"]["level"])
    if read := about.get("fluency"):
        note += f" broken: of the first {read['captions']} captions of each method, corrected apart with NLL."
    beside = published(about["benchmark"], about["subject"])
    if beside:
        note += f" Hollow diamonds in a: published ({beside[0].source}), other images, not measured here."
    with house():
        return save(compose(found), home / about["benchmark"], told, note)


def compose(found: Found) -> Figure:
    """Levels, differences, and the length of the answers where the benchmark measures it."""
    units = {one["name"]: one["unit"] for one in found["measures"]}
    # one minus another measure would show the same twice; forest counts places from below
    shares = [name for name in shown(found) if is_share(units[name]) and not name.endswith("_correct")][::-1]
    methods = [one["name"] for one in found["methods"] if one["scored"]]
    length = next((name for name in shown(found) if name == "length"), None)
    widths = [1.15, 1, *([0.55] if length else [])]
    made = figure(PAGE, 1.25 + len(shares) * max(0.3, 0.085 * len(methods)))
    axes = made.subplots(1, len(widths), width_ratios=widths)
    colours = colours_of(methods)
    marks = {name: MARKERS[i % len(MARKERS)] for i, name in enumerate(methods)}
    labels = [heading(found["about"]["benchmark"], name) for name in shares]
    rows = {row["name"]: row for row in found["results"]}
    about = found["about"]

    def points(names: Sequence[str], arm: str, tested: bool) -> list[Point]:
        return [
            _point(rows.get(f"{about['benchmark']}/{name}/{arm}"), i, 100.0 if is_share(units[name]) else 1.0, tested)
            for i, name in enumerate(names)
        ]

    # the first method above the others, as in the table
    order = methods[::-1]
    forest([(label(name), colours[name], marks[name], points(shares, name, False)) for name in order], labels, null=math.nan, ax=axes[0])
    axes[0].set(xlabel="share, %")
    hollow(axes[0], published(about["benchmark"], about["subject"]), shares, colours)
    letter(axes[0], "a", "each method")
    compared = [name for name in order if name != BASELINE] if BASELINE in methods else []
    both = [(label(name), colours[name], marks[name], points(shares, f"{name} - {BASELINE}", True)) for name in compared]
    forest(both, [""] * len(labels), ax=axes[1])
    axes[1].set(xlabel="difference, percentage points")
    letter(axes[1], "b", "minus no smoothing, paired")
    if length:
        forest(
            [(label(name), colours[name], marks[name], points([length], name, False)) for name in order], [""], null=math.nan, ax=axes[2]
        )
        # results that were written before say "tokens", which the words of a caption are not
        axes[2].set(xlabel=f"caption length, {CHAIR[length].unit}", xlim=(0, None))
        letter(axes[2], "c", "length")
    for ax in axes[1:]:
        ax.tick_params(axis="y", length=0)
    handles, names = axes[0].get_legend_handles_labels()
    n = len(methods)  # in the order of the table; published values behind
    made.legend(
        handles[:n][::-1] + handles[n:],
        names[:n][::-1] + names[n:],
        loc="outside upper center",
        ncols=min(5, len(names)),
        columnspacing=1.2,
        handletextpad=0.4,
    )
    return made


def hollow(ax: Axes, beside: Sequence[Published], shares: Sequence[str], colours: Mapping[str, str]) -> None:
    """Published values of the same family of models, as hollow diamonds without interval."""
    for one in beside:
        if one.measure in shares and one.method in PUBLISHED:
            colour = colours.get(PUBLISHED[one.method], ARM_COLOURS[PUBLISHED[one.method]])
            ax.plot(100 * one.value, shares.index(one.measure), "D", color=colour, markerfacecolor="none", markersize=4.5, zorder=4)
    if beside:
        ax.plot([], [], "D", color="0.3", markerfacecolor="none", markersize=4.5, label=f"published, {beside[0].subject}")


def label(name: str) -> str:
    """A method as a reader calls it."""
    kind, _, options = name.partition(":")
    told = ARM_LABELS.get(kind, f"{kind} rate" if kind == "constant" else kind)
    values = options.replace("lambda_ref", "λ_ref").removeprefix("rate=") if kind == "constant" else options.replace("lambda_ref", "λ_ref")
    return " ".join(filter(None, (told, values.replace("=", " ").replace(",", ", "))))


def colours_of(methods: Sequence[str]) -> dict[str, str]:
    """A colour a method; those of the house for the arms, for one more dose of KVSmooth and for a constant rate."""
    further = iter(OTHERS * len(methods))
    found: dict[str, str] = {}
    for name in sorted(methods, key=lambda name: ":" in name):  # an arm without options first: the house's colour is its own
        kind = name.partition(":")[0]
        usual = CONSTANT_COLOUR if kind == "constant" else DOSE_COLOUR if name.startswith("kvsmooth:") else ARM_COLOURS.get(kind)
        found[name] = usual if usual is not None and usual not in found.values() else next(further)
    return found


def _point(row: Found | None, place: int, scale: float, tested: bool) -> Point:
    if row is None or row["estimate"] is None:
        return Point(place, math.nan, math.nan, math.nan, False)
    low, high = (math.nan if limit is None else scale * limit for limit in row["interval"])
    rejects = not tested or (row["p_adjusted"] is not None and row["p_adjusted"] < ALPHA)
    return Point(place, scale * row["estimate"], low, high, rejects)
