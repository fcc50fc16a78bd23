"""What logits.json says, in words: the paragraph of docs/findings.md and the lines at the end of a run."""

import json
import math
from collections.abc import Mapping
from typing import Any

from analysis.arms import CONTRAST, CONTROL, TREATED

Rows = Mapping[str, Mapping[str, Any]]


def paragraph(rows: Rows, found: Mapping[str, Any]) -> str:
    """The paragraph of the findings page; every number is read from the results."""
    counted = found["counted"]

    def plain(outcome: str, which: str) -> str:
        return number(rows[f"replay/{outcome}/{which}/{CONTROL}"])

    def change(outcome: str, which: str) -> str:
        return number(rows[f"replay/{outcome}/{which}/{CONTRAST}"])

    def own(outcome: str, which: str, arm: str) -> str:
        return number(rows[f"free/{outcome}/{which}/{arm}"])

    primary = [
        "Primary, named in the code after a pilot of 40 scenes, the bundled subject's first, which are among those tested here: the slope "
        "of the log-probability of objects that the caption has not yet said, in nat per 100 tokens, each object compared with itself "
        "only. Without smoothing, over its own whole captions, it is "
        f"{plain('logprob', 'present unsaid')} for objects of the image and {plain('logprob', 'hallucinated unsaid')} for absent ones that "
        "the free caption of either arm names. On the same tokens, KVSmooth changes these slopes by "
        f"{change('logprob', 'present unsaid')} and {change('logprob', 'hallucinated unsaid')}.",
    ]
    paper = [
        "The paper's view takes raw logits at every step: there the slope without smoothing is "
        f"{plain('logit', 'present')} logits per 100 tokens for present and {plain('logit', 'hallucinated')} for hallucinated objects; the "
        f"mean logit of the whole vocabulary, a shift that all raw logits of a step share, has the slope {plain('logit', 'vocabulary')}. "
        f"Before the objects are said, and relative to absent objects that are neither named nor typical, it is "
        f"{plain('relative', 'present unsaid')} and {plain('relative', 'hallucinated unsaid')}, which KVSmooth changes by "
        f"{change('relative', 'present unsaid')} and {change('relative', 'hallucinated unsaid')}. The variance of the raw logit of "
        f"hallucinated objects changes by {plain('variance', 'hallucinated')} squared logits per 100 tokens at every step, by "
        f"{plain('variance', 'hallucinated unsaid')} before they are said; that of present ones by {plain('variance', 'present')} and "
        f"{plain('variance', 'present unsaid')}.",
        "Each arm on its own text, over the steps that both have (median over images: "
        f"{counted['median_steps']['free']:g}), the log-probability of objects not yet said has the slopes "
        f"{own('logprob', 'present unsaid', CONTROL)} without and {own('logprob', 'present unsaid', TREATED)} with KVSmooth (present), "
        f"{own('logprob', 'hallucinated unsaid', CONTROL)} and {own('logprob', 'hallucinated unsaid', TREATED)} (hallucinated).",
    ]
    bound = [
        "What does not follow: a slope describes captions of this subject and says nothing of causes; the steps before an object is said "
        "are early ones, so the two views differ in range as well; hallucinated objects are known by what the captions said "
        f"(images with one: {counted['images_with']['hallucinated']} of {counted['images']}).",
    ]
    level = found["provenance"]["config"]["level"]
    note = f"Brackets: {100 * level:.4g} % cluster BCa interval over images; n: images; p: sign flip over images, corrected by "
    note += (
        f"{rows[f'replay/logprob/present unsaid/{CONTROL}']['adjustment']} (primary) or max-T over the slopes of one unit, arm and regime. "
    )
    note += "Figures: `figures/logits/`."
    return "\n\n".join([" ".join(primary), " ".join(paper), " ".join(bound), note])


def number(row: Mapping[str, Any]) -> str:
    """Estimate, interval, n and corrected p of a row."""
    if not math.isfinite(row["estimate"]):
        return f"unknown ({row['reason'] or 'no value'})"
    limits = f"[{signed(row['interval'][0])}, {signed(row['interval'][1])}]"
    return f"{signed(row['estimate'])} {limits} (n = {row['n']}, {chance(row['p_adjusted'])})"


def signed(value: float) -> str:
    """Three significant digits with a true minus; a dash where there is no number."""
    return "–" if not math.isfinite(value) else f"{value:.3g}".replace("-", "−")


def chance(p: float) -> str:
    """A p-value as text."""
    return "no p" if not math.isfinite(p) else "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def summary(rows: Rows, found: Mapping[str, Any]) -> str:
    """What a person reads at the end of a run."""
    lines = ["Primary outcomes (corrected by Holm)"]
    lines += [f"  {name}: {number(row)} {row['unit']}" for name, row in rows.items() if row["role"] == "primary"]
    counted = found["counted"]
    lines += [f"{counted['images']} images; with an object of a set: " + ", ".join(f"{k} {n}" for k, n in counted["images_with"].items())]
    lines += [f"left out: {json.dumps(found['exclusions'], sort_keys=True)}"]
    return "\n".join(lines)
