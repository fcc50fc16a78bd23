"""The style of every figure: a colour an arm, the house style, and provenance in the saved files."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
import matplotlib.style
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.layout_engine import ConstrainedLayoutEngine

HOUSE = Path(__file__).resolve().with_name("house.mplstyle")
COLUMN, PAGE = 3.4, 7.0  # inches

# Colours with one meaning in every figure; Okabe and Ito's, which colour-blind readers tell apart. Written here alone (a test reads on).
ARM_COLOURS = {"baseline": "#0072B2", "kvsmooth": "#D55E00"}  # blue: a model without smoothing; vermilion: KVSmooth as published
DOSE_COLOUR = "#E69F00"  # orange: KVSmooth at another dose, or with other options
CONSTANT_COLOUR = "#56B4E9"  # light blue: a constant rate, the control in several questions
BETTER, WORSE = "#009E73", "#CC79A7"  # green and magenta: the better and the worse side of a measure, and an object that is there or not
OBJECT_COLOURS = {"present": BETTER, "hallucinated": WORSE}
ARM_LABELS = {"baseline": "no smoothing", "kvsmooth": "KVSmooth"}

# Colours without a meaning of their own, for whatever is no arm; each figure names them. Apart from those above, also for the colour-blind
BLACK, WINE, INDIGO, OLIVE, SAND, BROWN = OTHERS = ("#222222", "#882255", "#332288", "#666633", "#DDCC77", "#661100")
NULL_COLOUR, PALE = "#7A7A7A", "#BBBBBB"
GROUP_COLOURS = {"bos": "#999999", "system": SAND, "image": OLIVE, "prompt": WINE, "generated": INDIGO, "self": BLACK}
KIND_COLOURS = {"key": WINE, "value": INDIGO}
KIND_LOOK = {"pooled": ("#999999", "s"), "within": (BLACK, "o"), "stratified": (WINE, "D")}  # how two tokens were paired
SEQUENTIAL, DIVERGING = "viridis", "RdBu_r"


@contextmanager
def house() -> Iterator[None]:
    """The house style, for the time of the block."""
    with matplotlib.style.context(str(HOUSE)):
        yield


KINDS = ("svg", "png")
"""What `save` writes of a figure."""
STRIP = 0.31
"""Inches under a figure for three lines; more lines get more (`save`)."""


def figure(width: float, height: float) -> Figure:
    """An empty figure in inches that lays itself out and keeps a strip for what is told under it; it is not pyplot's."""
    strip = STRIP / height
    engine = ConstrainedLayoutEngine(rect=(0, strip, 1, 1 - strip), w_pad=0.05, h_pad=0.05, wspace=0.03, hspace=0.03)
    return Figure(figsize=(width, height), layout=engine)


def letter(ax: Axes, text: str, title: str, lift: float = 5.0) -> None:
    """Panel letter (bold) and title `lift` points above the axes, flush left; mathtext would do it too, at a second a figure."""
    above: dict[str, Any] = {"xycoords": "axes fraction", "textcoords": "offset points", "va": "bottom", "annotation_clip": False}
    size = matplotlib.rcParams["axes.titlesize"]
    ax.annotate(text, (0, 1), xytext=(0, lift), fontweight="bold", fontsize=size, **above)
    ax.annotate(title, (0, 1), xytext=(10, lift), fontsize=size, **above)


def legend(ax: Axes, **options: Any) -> None:
    """A legend, where there is something to name."""
    handles, names = ax.get_legend_handles_labels()
    if handles:
        ax.legend(handles, names, **({"loc": "best"} | options))


def legend_below(ax: Axes) -> None:
    """A legend in one line under the axis label, where it hides no data."""
    columns = max(len(ax.get_legend_handles_labels()[1]), 1)
    spacing = {"columnspacing": 1.0, "handlelength": 0.9, "handletextpad": 0.4}
    legend(ax, loc="upper center", bbox_to_anchor=(0.5, 0), borderaxespad=3.6, ncols=columns, **spacing)


def legend_above(made: Figure, ax: Axes) -> None:
    """The names of one panel's lines in one line over the whole figure, where curves leave no room inside."""
    handles, names = ax.get_legend_handles_labels()
    made.legend(handles, names, loc="outside upper center", ncols=max(len(names), 1))


def save(fig: Figure, path: Path, provenance: Mapping[str, Any], note: str = "") -> list[Path]:
    """Write `path`.svg and `path`.png, with `provenance` as metadata and, shortened, as a line under the figure, after `note`.

    Byte-stable: fixed hash salt, no date. Files appear whole or not at all.
    """
    from probes.command.files import atomic_write
    from probes.command.strict_json import as_json

    told = "\n".join(part for part in (note, line(provenance)) if part)
    fig.text(0.004, 0.03 / fig.get_figheight(), told, fontsize=5, color="0.35", ha="left", va="bottom", linespacing=1.3)
    record = as_json(provenance)
    metadata = {
        "svg": {"Date": None, "Creator": "kvsmooth", "Description": record},
        "png": {"Software": "kvsmooth", "Description": record},
    }
    engine: Any = fig.get_layout_engine()
    if engine is not None:
        strip = max(STRIP, 0.04 + 0.09 * len(told.splitlines())) / fig.get_figheight()
        engine.set(rect=(0, strip, 1, 1 - strip))
        # laid out once for both files, and no engine left: with one, every save draws twice. Half the time for the same picture
        engine.execute(fig)
        fig.set_layout_engine(None)
        for ax in fig.axes:  # the layout's solver differs from run to run in the last digits, which would show in the files
            left, bottom, width, height = (round(float(edge), 4) for edge in ax.get_position(original=True).bounds)
            ax.set_position((left, bottom, width, height))
    written = []
    for kind in KINDS:
        target = Path(path).with_suffix(f".{kind}")
        with atomic_write(target) as temporary, matplotlib.rc_context({"svg.hashsalt": "kvsmooth"}):
            fig.savefig(temporary, format=kind, metadata=metadata[kind])
            if kind == "svg":
                temporary.write_text(_numbered_clips(temporary.read_text(encoding="utf-8")), encoding="utf-8")
        written.append(target)
    return written


def _numbered_clips(svg: str) -> str:
    """The same drawing with clip paths named by their order.

    matplotlib names them by all digits of their place, and the last digits of a layout vary from process to process.
    """
    order = {name: f"clip{i}" for i, name in enumerate(dict.fromkeys(re.findall(r"url\(#(p[0-9a-f]{10})\)", svg)))}
    return re.sub(r"\bp[0-9a-f]{10}\b", lambda found: order.get(found[0], found[0]), svg)


def line(provenance: Mapping[str, Any]) -> str:
    """Provenance in one line: commit, model and revision, data hash, n, seed."""
    shorten = {"git_commit": "commit", "model_id": "model", "model_revision": "revision", "data_hash": "data", "n": "n", "seed": "seed"}
    parts = [f"{label} {_short(provenance[name])}" for name, label in shorten.items() if provenance.get(name) not in (None, "")]
    return " · ".join(parts)


def _short(value: Any) -> str:
    text = str(value)
    if len(text) >= 40 and all(c in "0123456789abcdef" for c in text[:40]):  # a hash, perhaps with "-dirty"
        return text[:10] + text.partition("-")[1] + text.partition("-")[2]
    return text
