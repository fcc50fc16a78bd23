"""Writes the verdict and paragraphs of docs/findings.md from onset.json."""

import math
from collections.abc import Mapping
from typing import Any

from analysis.onset.names import PRIMARY, SCORES, STRATA
from analysis.onset.timing import EARLY
from analysis.question.arms import CONTRAST, CONTROL, TREATED
from analysis.telling.wording import Row, Rows, bracketed, chance, direction, page, sentence, table, was_tested

_ENTROPY = {
    -1: "row entropy is lower, not higher, where a hallucinated mention follows",
    0: "row entropy does not tell where a hallucinated mention follows",
    1: "row entropy is higher where a hallucinated mention follows",
}
_EXCESS = {
    -1: "attention to the image is higher there than its dilution explains, not lower",
    0: "nor does the loss of attention to the image tell for certain",
    1: "attention to the image is lower there than its dilution explains",
}
_TIME = {
    -1: "with KVSmooth captions hallucinate after fewer tokens",
    0: "KVSmooth does not clearly change after how many tokens captions hallucinate",
    1: "with KVSmooth captions hallucinate after more tokens",
}
_HAZARD = {-1: "less often", 0: "not clearly more or less often", 1: "more often"}
_TABLE = dict(
    zip(
        PRIMARY,
        (
            "AUROC of row entropy for a hallucinated first mention, at the same position",
            "AUROC of the loss of visual mass beyond dilution, the same",
            "row entropy over the ten steps before, hallucinated minus true (nat)",
            "mean time without a hallucinated mention, KVSmooth minus none (tokens)",
        ),
        strict=True,
    )
)


def verdict(rows: Rows) -> str:
    """One sentence: what row entropy and visual mass tell at the same position, and when captions hallucinate; by corrected tests."""
    entropy, excess, _, time = (rows.get(name) for name in PRIMARY)
    often = _often(rows)
    return sentence([_scored(entropy, excess), f"{_TIME[direction(time)]}{often}" if was_tested(time) else ""])


def _often(rows: Rows) -> str:
    """How often captions err at each new object; of the first ones and the later ones apart where one ratio does not hold for both."""
    parts = (f"first {EARLY}", f"after {EARLY}", "late over early")
    early, late, change = (rows.get(f"survival/hazard ratio, {part}, by mentions/{CONTRAST}") for part in parts)
    whole = rows.get(f"survival/hazard ratio by mentions/{CONTRAST}")
    if was_tested(change) and direction(change, null=1.0):
        first, later = (_HAZARD[direction(row, null=1.0)] if was_tested(row) else "" for row in (early, late))
        if first and later:
            return f", at each of the first {EARLY} objects {first}, at later ones {later}"
    if not was_tested(whole):
        return ""
    way = direction(whole, null=1.0)
    return f", and {_HAZARD[way]} at each new object" if way else f", and at each new object {_HAZARD[0]}"


def _scored(entropy: Row | None, excess: Row | None) -> str:
    """What the two scores tell at the same position, those that were tested."""
    tells, mass = (direction(row, null=0.5) for row in (entropy, excess))
    said = [_ENTROPY[tells]] if was_tested(entropy) else []
    if was_tested(excess):
        neither = said and not tells
        said.append(_EXCESS[mass] if mass or neither else "the loss of attention to the image does not tell for certain")
    return f"at the same position in the caption, {' and '.join(said)}" if said else ""


def paragraph(rows: Rows, found: Mapping[str, Any]) -> str:
    """The question's part of the findings page; every number is read from the results."""
    counted = found["counted"]
    first, hits = counted["first"], counted["hallucinated"]
    asked = (
        f"First mentions of an object in free captions of {counted['images']} images: {first[CONTROL]} without smoothing, of which "
        f"{hits[CONTROL]} name an absent one, and {first[TREATED]} with KVSmooth, {hits[TREATED]} absent. "
        f"{sum(counted['repeated'].values())} repeated mentions are left out. Directions were fixed beforehand: an AUROC below 0.5 means "
        "that a score went the other way."
    )
    note = (
        f"`python -m analysis.onset`, smoothed layers {counted['band'][0]} to {counted['band'][-1]}. Brackets: "
        f"{100 * found['provenance']['config']['level']:.4g} % cluster BCa interval over images, n: images; corrected by Holm over the "
        "outcomes of the table. All of this is association in the model's own captions: none of it says that changing a score would "
        "change a mention. Figures: `figures/emoji/onset/`."
    )
    return page(verdict(rows), asked, table(rows, _TABLE), _scores(rows), _matched(rows), _times(rows), _odds(rows), note)


def _scores(rows: Rows) -> str:
    """The other scores at the same position, and what position does alone."""
    stratified = {name: rows[f"auroc/stratified/{name}/{CONTROL}"] for name in SCORES if f"auroc/stratified/{name}/{CONTROL}" in rows}
    known = {name: row for name, row in stratified.items() if math.isfinite(row["estimate"])}
    if not known:
        return ""
    passed = {name: row for name, row in known.items() if direction(row, null=0.5) and row["role"] == "exploratory"}
    ordered = sorted(passed, key=lambda name: -abs(passed[name]["estimate"] - 0.5))
    listed = ", ".join(f"{SCORES[name].label} {bracketed(passed[name])}" for name in ordered)
    said = f"these differ from 0.5 (Holm over {len(known)}): {listed}" if listed else f"none differs from 0.5 (Holm over {len(known)})"
    return (
        f"*Other scores*, at the same position and without smoothing: {said}. Over any two mentions, whatever their positions, position "
        f"alone gives {bracketed(rows[f'auroc/pooled/position/{CONTROL}'])} and row entropy "
        f"{bracketed(rows[f'auroc/pooled/entropy/{CONTROL}'])}: what changes along a caption is to be judged at the same position."
    )


def _matched(rows: Rows) -> str:
    """Attention on the image at hallucinated against true mentions, by what the pairs of mentions share."""
    told = {name: rows.get(f"matched/{name}/mass/{CONTROL}") for name in STRATA}
    both = told["sentence and word"]
    if both is None or not math.isfinite(both["estimate"]):
        return ""
    said = ", ".join(f"{bracketed(row)} in the same {name} ({chance(row['p_adjusted'])})" for name, row in told.items() if row is not None)
    position, entropy = (rows[f"matched/sentence and word/{name}/{CONTROL}"] for name in ("position", "entropy"))
    pooled, same = (bracketed(rows[f"auroc/{form}/mass/{CONTROL}"]) for form in ("pooled", "stratified"))
    return (
        f"*Attention on the image, sentence and word alike.* AUROC of low visual mass: {pooled} over any two mentions, {same} at the same "
        f"position, {said}. The last compares "
        f"{both['effect']['hallucinated']:.0f} hallucinated with {both['effect']['true']:.0f} true mentions of the same object in the same "
        f"sentence of other captions, in {both['effect']['pairs']:.0f} pairs; there position has {bracketed(position)} and row entropy "
        f"{bracketed(entropy)} (Holm over scores and strata)."
    )


def _times(rows: Rows) -> str:
    by_tokens = [rows.get(f"survival/incidence/{arm}") for arm in (CONTROL, TREATED)]
    ratio, said = (rows.get(f"survival/{name} by mentions/{CONTRAST}") for name in ("hazard ratio", "restricted mean"))
    if not (all(by_tokens) and ratio and said):
        return ""
    return (
        f"*Time to the first.* By token {by_tokens[0]['effect']['horizon']:.0f}, {bracketed(by_tokens[0])} of the captions without "
        f"smoothing and {bracketed(by_tokens[1])} of those with KVSmooth have named an absent object; a caption's end competes. Tokens "
        "compare how fast an arm names objects as well as how often it errs. Counted in objects named instead, the mean number before the "
        f"first absent one differs by {bracketed(said)}, and the hazard at each new object has the ratio {bracketed(ratio)} "
        f"({chance(ratio['p_adjusted'])}, Holm over the comparisons of times).{_split(rows)}"
    )


def _split(rows: Rows) -> str:
    """Where one ratio of hazards hides two."""
    early, late, change = (
        rows.get(f"survival/hazard ratio, {part}, by mentions/{CONTRAST}")
        for part in (f"first {EARLY}", f"after {EARLY}", "late over early")
    )
    if not (early and late and change) or not math.isfinite(change["estimate"]):
        return ""
    apart = "differ" if was_tested(change) and direction(change, null=1.0) else "do not differ for certain"
    return (
        f" Among the first {EARLY} objects it is {bracketed(early)}, later {bracketed(late)}; the two {apart} "
        f"({chance(change['p_adjusted'])})."
    )


def _odds(rows: Rows) -> str:
    odds = rows.get(f"odds/gee/entropy/{CONTROL}")
    if not odds or not math.isfinite(odds["estimate"]):
        return ""
    return (
        "*Adjusted.* With position (spline) and the number of objects named before held fixed, a standard deviation of row entropy "
        f"multiplies the odds of a hallucinated mention by {bracketed(odds)} ({chance(odds['p_adjusted'])}, GEE without smoothing)."
    )
