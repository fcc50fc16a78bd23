"""Writes the verdict and paragraphs of docs/findings.md from entropy.json."""

from collections.abc import Mapping
from typing import Any

from analysis.entropy.names import CLASSES, PRIMARY, WALK_LAG
from analysis.question.arms import CONTROL, TREATED
from analysis.telling.wording import LEVEL, Row, Rows, bracketed, chance, direction, page, sentence, table, was_tested

WEAK = 0.1
"""Below this, the verdict calls a correlation weak: it goes with less than a hundredth of the variance of the ranks."""

_WALK = {
    -1: "Hidden states are no random walk, which the derivation assumes: they keep returning",
    0: "Hidden states cannot be told from the random walk that the derivation assumes",
    1: "Hidden states are no random walk, which the derivation assumes: they run on in one direction",
}
_CLASS = {-1: "lower row entropy than words", 0: "no clearly different row entropy from words", 1: "higher row entropy than words"}
_ANGLE = {-1: "falls", 0: "neither grows nor falls for certain", 1: "grows"}
_TABLE = dict(
    zip(
        PRIMARY,
        (
            "row entropy of punctuation minus that of words, position taken out (nat)",
            "rank correlation of row entropy with the angle to the mean state so far, given the step",
            f"variance ratio of hidden states at lag {WALK_LAG}; a random walk has 1",
        ),
        strict=True,
    )
)


def verdict(rows: Rows) -> str:
    """One sentence on the three primary outcomes; by corrected tests, and for the correlation by its circular shifts too."""
    punctuation, angle, walk = (rows.get(name) for name in PRIMARY)
    way = _with_shift(angle)
    weakly = " weakly" if way and abs(angle["estimate"]) < WEAK else ""
    return sentence(
        [
            _WALK[direction(walk, null=1.0)] if was_tested(walk) else "",
            f"punctuation has {_CLASS[direction(punctuation)]}" if was_tested(punctuation) else "",
            f"row entropy {_ANGLE[way]}{weakly} with the angle to the mean state" if was_tested(angle) else "",
        ]
    )


def _with_shift(row: Row | None) -> int:
    """Direction of a correlation of two series, where turning one of them round its caption rejects as well."""
    way = direction(row)
    return way if way and row["effect"].get("circular shift p", 0.0) < LEVEL else 0


def paragraph(rows: Rows, found: Mapping[str, Any]) -> str:
    """The question's part of the findings page; every number is read from the results."""
    parts = [_classes(rows), _distance(rows), _walk(rows)]
    counted = found["counted"]
    note = (
        f"`python -m analysis.entropy`, {counted['images']} images, smoothed layers {counted['band'][0]} to {counted['band'][-1]}. "
        f"Brackets: {100 * found['provenance']['config']['level']:.4g} % cluster BCa interval over images; p: sign flip over images, "
        "Holm over the outcomes of the table, all without smoothing. Figures: `figures/emoji/entropy/`."
    )
    return page(verdict(rows), table(rows, _TABLE), *parts, note)


def _classes(rows: Rows) -> str:
    names = [name for name in CLASSES if f"means/share/{name}/{CONTROL}/band" in rows]
    ordered = sorted(names, key=lambda name: -rows[f"means/share/{name}/{CONTROL}/band"]["estimate"])
    said = ", ".join(f"{name} {bracketed(rows[f'means/share/{name}/{CONTROL}/band'])}" for name in ordered)
    return f"*Classes of tokens*, by row entropy as a share of ln n: {said}." if said else ""


def _distance(rows: Rows) -> str:
    """Angles to the mean state by layer, and to the other references."""
    said = []
    primary = rows.get(PRIMARY[1])
    if primary and "circular shift p" in primary["effect"]:
        said.append(f"For the correlation of the table, turning the series round has {chance(primary['effect']['circular shift p'])}.")
    layers = [row for name, row in rows.items() if name.startswith(f"distance/drift_mean/partial/{CONTROL}/layer ")]
    if layers:
        ways = [direction(row) for row in layers]
        said.append(f"By layer it is above zero in {ways.count(1)} and below zero in {ways.count(-1)} of {len(layers)} (max-T).")
    others = {name: rows.get(f"distance/drift_{name}/partial/{CONTROL}/band") for name in ("step", "image")}
    if all(others.values()):
        said.append(
            f"With the angle to the previous state row entropy goes at {bracketed(others['step'])}, with that to the image at "
            f"{bracketed(others['image'])}."
        )
    return " ".join(["*Angles.*", *said]) if said else ""


def _walk(rows: Rows) -> str:
    """Lags, autocorrelations and the constant rate that would filter such states best."""
    ratio = rows.get(f"walk/variance ratio/free/{TREATED}/lag {WALK_LAG}/band")
    if not ratio:
        return ""
    one, two = (rows[f"walk/autocorrelation/free/{CONTROL}/lag {lag}/band"] for lag in (1, 2))
    slope, rate = (rows[f"walk/{name}/free/{CONTROL}/band"] for name in ("slope", "best constant rate"))
    return (
        f"*The walk.* White noise round a fixed mean would have a variance ratio of {1 / WALK_LAG:.3f}; with KVSmooth, on its own "
        f"captions, it is {bracketed(ratio)}. Without smoothing ln MSD grows with ln lag at a slope of {bracketed(slope)} (a walk: 1), and "
        f"increments have autocorrelations of {bracketed(one)} at lag 1 and {bracketed(two)} at lag 2 (a walk: 0). A walk seen through "
        f"white noise with that autocorrelation at lag 1 would be filtered best by a constant rate of {bracketed(rate)}; since it would "
        "have none at lag 2, the rate describes and does not recommend. These are hidden states; KVSmooth averages keys and values, of "
        "which this says nothing directly."
    )
