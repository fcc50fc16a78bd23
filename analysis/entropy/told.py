"""The paragraph of the entropy question, every number read out of entropy.json."""

import math
from collections.abc import Mapping
from typing import Any

from analysis.arms import CONTROL, TREATED
from analysis.entropy.names import CLASSES, PRIMARY, WALK_LAG

Rows = Mapping[str, Mapping[str, Any]]
LEVEL = 0.05


def paragraph(rows: Rows, found: Mapping[str, Any]) -> str:
    """Markdown."""
    counted = found["counted"]
    level = 100 * found["provenance"]["config"]["level"]
    lines = [
        f"`python -m analysis.entropy`, {counted['images']} images, smoothed layers {counted['band'][0]} to {counted['band'][-1]}, "
        f"{level:.4g} % cluster intervals. Named in advance, without smoothing, Holm: "
        + "; ".join(_told(rows[name], words) for name, words in zip(PRIMARY, _WORDS, strict=True) if name in rows)
        + "."
    ]
    drift = {name: rows.get(f"distance/drift_{name}/partial/{CONTROL}/band") for name in ("step", "image")}
    ordered = ", ".join(f"{name} {_number(rows[f'means/share/{name}/{CONTROL}/band'])}" for name in _by_entropy(rows))
    lines.append(f"Entropy as a share of ln n orders the classes of tokens as follows: {ordered}.")
    layers = [row for name, row in rows.items() if name.startswith(f"distance/drift_mean/partial/{CONTROL}/layer ")]
    if layers:
        passed = [row["estimate"] for row in layers if row["p_adjusted"] < LEVEL]
        lines.append(
            f"By layer its correlation with the angle to the mean state is above zero in {sum(value > 0 for value in passed)} and below "
            f"zero in {sum(value < 0 for value in passed)} of {len(layers)} layers (max-T, p < {LEVEL:g})."
        )
    if all(drift.values()):
        lines.append(
            f"Partial on the step, it goes with the angle to the previous state at {_number(drift['step'])}, to the image at "
            f"{_number(drift['image'])}."
        )
    ratio = rows.get(f"walk/variance ratio/free/{TREATED}/lag {WALK_LAG}/band")
    if ratio:
        one, two = (rows[f"walk/autocorrelation/free/{CONTROL}/lag {lag}/band"] for lag in (1, 2))
        slope, rate = (rows[f"walk/{name}/free/{CONTROL}/band"] for name in ("slope", "best constant rate"))
        lines.append(
            f"With smoothing the variance ratio is {_number(ratio)} in the arm's own captions; 1 is a walk, {1 / WALK_LAG:.3f} white "
            f"noise. Without it, increments have autocorrelations of {_number(one)} at lag 1 and {_number(two)} at lag 2, and ln MSD grows "
            f"with ln lag at a slope of {_number(slope)}. A walk seen through white noise with that autocorrelation at lag 1 would be "
            f"filtered best by a constant rate of {_number(rate)}; such a process has none at lag 2, so the rate describes and does not "
            "recommend. Hidden states are tested here; KVSmooth averages keys and values, of which this says nothing directly."
        )
    return "\n".join(lines)


_WORDS = (
    "centred entropy of punctuation minus that of words (nat)",
    "rank correlation of entropy with the angle to the mean state so far, partial on the step",
    f"variance ratio of hidden states at lag {WALK_LAG} against 1, a random walk",
)


def _told(row: Mapping[str, Any], words: str) -> str:
    shift = row["effect"].get("circular shift p")
    more = "" if shift is None else f", circular shift p = {shift:.2g}"
    return f"{words} {_number(row)}, p = {row['p_adjusted']:.2g}{more} (n = {row['n']})"


def _number(row: Mapping[str, Any], digits: int = 3) -> str:
    """Estimate and interval."""
    low, high = row["interval"]
    limits = f"[{low:.{digits}f}, {high:.{digits}f}]" if math.isfinite(low) and math.isfinite(high) else "[no interval]"
    return f"{row['estimate']:.{digits}f} {limits}"


def _by_entropy(rows: Rows) -> list[str]:
    found = [name for name in CLASSES if f"means/share/{name}/{CONTROL}/band" in rows]
    return sorted(found, key=lambda name: -rows[f"means/share/{name}/{CONTROL}/band"]["estimate"])
