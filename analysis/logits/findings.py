"""Writes the verdict and paragraphs of docs/findings.md, and the closing lines of a run, from logits.json."""

import json
from collections.abc import Mapping
from typing import Any

from analysis.question.arms import CONTRAST, CONTROL, TREATED
from analysis.telling.wording import Rows, alike, bracketed, direction, number, page, table

_MOVES = {-1: "fall", 0: "show no clear trend", 1: "rise"}
_TURNS = {-1: "downwards", 0: "neither way for certain", 1: "upwards"}
_TABLE = {
    f"replay/logprob/present unsaid/{CONTROL}": "objects of the image, no smoothing",
    f"replay/logprob/hallucinated unsaid/{CONTROL}": "hallucinated objects, no smoothing",
    f"replay/logprob/present unsaid/{CONTRAST}": "objects of the image, what KVSmooth changes on the same tokens",
    f"replay/logprob/hallucinated unsaid/{CONTRAST}": "hallucinated objects, what KVSmooth changes on the same tokens",
}


def verdict(rows: Rows) -> str:
    """One sentence: the paper's claim about raw logits, the primary slopes, and what smoothing does to them; by corrected tests.

    Three parts of the claim can be shown: the mean of present objects falls, mean and variance of hallucinated ones rise. The fourth, that
    the variance of present objects has no trend, a test can only contradict.
    """

    def way(outcome: str, which: str, contrast: str) -> int:
        return direction(rows[f"replay/{outcome}/{which}/{contrast}"])

    raw, spread = ([way(outcome, which, CONTROL) for which in ("present", "hallucinated")] for outcome in ("logit", "variance"))
    held = (raw[0] == -1) + (raw[1] == 1) + (spread[1] == 1)
    holds = {0: "is not seen", 3: "is seen"}.get(held, f"is seen in {held} of its 3 parts that a test can show")
    holds += " and contradicted in its fourth, that the variance of present objects has no trend" if spread[0] else ""
    plain, change = ([way("logprob", f"{which} unsaid", arm) for which in ("present", "hallucinated")] for arm in (CONTROL, CONTRAST))
    names = ("the log-probabilities of both", "the log-probabilities of present objects", "those of hallucinated ones")
    turned = alike(change[0], change[1], ("both trends", "the trend of present objects", "that of hallucinated ones"), _TURNS)
    means = alike(raw[0], raw[1], ("of present and of hallucinated objects", "of present objects", "those of hallucinated ones"), _MOVES)
    variances = alike(spread[0], spread[1], ("both variances", "variances of the former", "those of the latter"), _MOVES)
    return (
        f"The paper's first observation {holds}: raw logits {means}, and {variances}; before the objects are said, "
        f"{alike(plain[0], plain[1], names, _MOVES)}, and on the same tokens KVSmooth turns {turned}."
    )


def paragraph(rows: Rows, found: Mapping[str, Any]) -> str:
    """The question's part of the findings page; every number is read from the results."""
    counted = found["counted"]

    def plain(outcome: str, which: str) -> str:
        return number(rows[f"replay/{outcome}/{which}/{CONTROL}"])

    def change(outcome: str, which: str) -> str:
        return number(rows[f"replay/{outcome}/{which}/{CONTRAST}"])

    def own(which: str, arm: str) -> str:
        return bracketed(rows[f"free/logprob/{which}/{arm}"])

    primary = (
        "Asked: how the log-probability of an object that the caption has not yet said changes along the caption. Slopes in nat per 100 "
        "tokens, each object compared with itself only:"
    )
    paper = (
        "*The paper's view, raw logits at every step, no smoothing.* Logits per 100 tokens: "
        f"{plain('logit', 'present')} for present and {plain('logit', 'hallucinated')} for hallucinated objects. The mean logit of the "
        f"whole vocabulary, a shift that all raw logits of a step share, has {plain('logit', 'vocabulary')}. The variance of the logits "
        f"changes by {plain('variance', 'present')} squared logits (present) and {plain('variance', 'hallucinated')} (hallucinated)."
    )
    relative = (
        "*Without what moves all objects alike.* Before they are said, relative to absent objects that are neither named nor typical: "
        f"{plain('relative', 'present unsaid')} (present) and {plain('relative', 'hallucinated unsaid')} (hallucinated). KVSmooth changes "
        f"these by {change('relative', 'present unsaid')} and {change('relative', 'hallucinated unsaid')}."
    )
    free = (
        "*Each arm on its own text*, over the steps that both have (median over images: "
        f"{counted['median_steps']['free']:g}): present objects not yet said {own('present unsaid', CONTROL)} nat per 100 tokens without "
        f"and {own('present unsaid', TREATED)} with KVSmooth, hallucinated ones {own('hallucinated unsaid', CONTROL)} and "
        f"{own('hallucinated unsaid', TREATED)}."
    )
    bound = (
        "What does not follow: a slope says nothing of causes. The steps before an object is said are early ones, so the two views differ "
        "in range as well. Hallucinated objects are the absent ones that the free caption of either arm names (images with one: "
        f"{counted['images_with']['hallucinated']} of {counted['images']})."
    )
    level = found["provenance"]["config"]["level"]
    note = (
        f"Brackets: {100 * level:.4g} % cluster BCa interval over images; n: images; p: sign flip over images, corrected by "
        f"{rows[f'replay/logprob/present unsaid/{CONTROL}']['adjustment']} (table) or max-T over the slopes of one unit, arm and regime. "
        "The primary slopes were named after a pilot of 40 scenes, the bundled subject's first, which are among those tested. "
        "Figures: `figures/emoji/logits/`."
    )
    return page(verdict(rows), primary, table(rows, _TABLE), paper, relative, free, bound, note)


def summary(rows: Rows, found: Mapping[str, Any]) -> str:
    """What a person reads at the end of a run."""
    lines = ["Primary outcomes (corrected by Holm)"]
    lines += [f"  {name}: {number(row)} {row['unit']}" for name, row in rows.items() if row["role"] == "primary"]
    counted = found["counted"]
    lines += [f"{counted['images']} images; with an object of a set: " + ", ".join(f"{k} {n}" for k, n in counted["images_with"].items())]
    lines += [f"left out: {json.dumps(found['exclusions'], sort_keys=True)}"]
    return "\n".join(lines)
