"""The paragraph of the onset question, every number read out of onset.json."""

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from analysis.arms import CONTRAST, CONTROL, TREATED
from analysis.onset.names import PRIMARY, SCORES

Rows = Mapping[str, Mapping[str, Any]]
_WORDS = (
    "AUROC of row entropy at the step that predicts a hallucinated first mention, at the same position",
    "AUROC of the loss of visual mass beyond dilution, the same",
    "difference of row entropy over the ten steps before (nat)",
    "mean time without a hallucinated mention, KVSmooth minus none (tokens)",
)


def paragraph(rows: Rows, found: Mapping[str, Any]) -> str:
    """Markdown."""
    counted = found["counted"]
    level = 100 * found["provenance"]["config"]["level"]
    first, hits = counted["first"], counted["hallucinated"]
    lines = [
        f"`python -m analysis.onset`, {counted['images']} images, free captions, smoothed layers {counted['band'][0]} to "
        f"{counted['band'][-1]}, {level:.4g} % cluster intervals. First mentions of an object: {first[CONTROL]} without smoothing, of "
        f"which {hits[CONTROL]} name an absent one, and {first[TREATED]} with KVSmooth, {hits[TREATED]} absent; "
        f"{sum(counted['repeated'].values())} repeated mentions are left out.",
        "Named in advance, Holm over those recorded: "
        + "; ".join(_told(rows[name], words) for name, words in zip(PRIMARY, _WORDS, strict=True) if name in rows)
        + ". A score's direction was fixed beforehand: an AUROC below 0.5 means that it went the other way.",
    ]
    stratified = {name: rows[f"auroc/stratified/{name}/{CONTROL}"] for name in SCORES if f"auroc/stratified/{name}/{CONTROL}" in rows}
    known = {name: row for name, row in stratified.items() if np.isfinite(row["estimate"])}
    if known:
        passed = {name: row for name, row in known.items() if row["p_adjusted"] < 0.05 and row["role"] == "exploratory"}
        ordered = sorted(passed, key=lambda name: -abs(passed[name]["estimate"] - 0.5))
        listed = ", ".join(f"{SCORES[name].label} {_number(passed[name])}" for name in ordered)
        lines.append(
            f"Of the other scores, at the same position and without smoothing, these differ from 0.5 (Holm over {len(known)}): {listed}."
            if listed
            else f"No other score differs from 0.5 at the same position (Holm over {len(known)})."
        )
        pooled = rows[f"auroc/pooled/position/{CONTROL}"]
        lines.append(
            f"Over any two mentions, whatever their positions, position alone gives {_number(pooled)} and row entropy "
            f"{_number(rows[f'auroc/pooled/entropy/{CONTROL}'])}: what changes along a caption is to be judged at the same position."
        )
    by_tokens = [rows.get(f"survival/incidence/{arm}") for arm in (CONTROL, TREATED)]
    ratio, said = (rows.get(f"survival/{name} by mentions/{CONTRAST}") for name in ("hazard ratio", "restricted mean"))
    if all(by_tokens) and ratio and said:
        lines.append(
            f"By token {by_tokens[0]['effect']['horizon']:.0f}, {_number(by_tokens[0])} of the captions without smoothing and "
            f"{_number(by_tokens[1])} of those with KVSmooth have named an absent object. Counted in objects named, the mean number before "
            f"the first absent one differs by {_number(said)} and the hazard at each new object has the ratio {_number(ratio)} "
            f"(p = {ratio['p_adjusted']:.2g}, Holm over the comparisons of times): tokens compare how fast an arm names objects as well as "
            "how often it errs."
        )
    odds = rows.get(f"odds/gee/entropy/{CONTROL}")
    if odds and np.isfinite(odds["estimate"]):
        lines.append(
            "With position (spline) and the number of objects named before held fixed, a standard deviation of row entropy multiplies the "
            f"odds of a hallucinated mention by {_number(odds)} (GEE)."
        )
    lines.append("All of this is association in the model's own captions: none of it says that changing a score would change a mention.")
    return "\n".join(lines)


def _told(row: Mapping[str, Any], words: str) -> str:
    p = f"p = {row['p_adjusted']:.2g}" if np.isfinite(row["p_adjusted"]) else row["reason"] or "not tested"
    return f"{words} {_number(row)}, {p} (n = {row['n']})"


def _number(row: Mapping[str, Any], digits: int = 3) -> str:
    """Estimate and interval."""
    low, high = row["interval"]
    limits = f"[{low:.{digits}f}, {high:.{digits}f}]" if math.isfinite(low) and math.isfinite(high) else "[no interval]"
    return f"{row['estimate']:.{digits}f} {limits}"
