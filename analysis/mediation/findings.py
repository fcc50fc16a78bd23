"""Writes the verdict and paragraphs of docs/findings.md from mediation.json."""

import math
from collections.abc import Mapping
from typing import Any

from analysis.mediation.effects import EFFECTS, PRIMARY, PRIMARY_ARM, PRIMARY_OUTCOME
from analysis.mediation.names import CONSTANT, METHOD, MIXES, WORDS
from analysis.telling.wording import LEVEL, Rows, alike, bracketed, brief, direction, number, page, table, was_tested

TOTAL, DIRECT, INDIRECT = (f"{PRIMARY_ARM}/{PRIMARY_OUTCOME}/{effect}" for effect in PRIMARY)
_TABLE = {
    TOTAL: "total: smoothed minus baseline",
    DIRECT: "contents alone: smoothed, read by the baseline's attention rows",
    INDIRECT: "attention alone: the smoothed run's rows in the baseline",
}
_OUTCOMES = {
    "present": "objects present, not yet named",
    "absent": "absent objects",
    "true": "the object named, where it is present",
    "hallucinated": "the object named, where it is absent",
    "end": "the end of the caption, at sentence ends",
}
_SHOWN = {"total": "total", "direct": "contents", "indirect": "attention", "visual_mass": "visual mass"}
_DOES = {-1: "lowers", 0: "does not clearly change", 1: "raises"}
_DO = {-1: "lower them", 0: "do not clearly change them", 1: "raise them"}


def verdict(rows: Rows) -> str:
    """What KVSmooth does to the odds of present over absent objects, and which of the two ways does it alone; by corrected tests."""
    if not was_tested(rows.get(TOTAL)):
        return "Nothing that was named in advance could be tested."
    total, contents, attention = (direction(rows.get(name)) for name in (TOTAL, DIRECT, INDIRECT))
    names = ("smoothed attention rows alone and smoothed contents alone", "smoothed attention rows alone", "smoothed contents alone")
    by = {(True, False): "goes through attention", (False, True): "goes through contents", (True, True): "goes through both"}
    way = by.get((attention == total, contents == total), "is done by neither alone")
    return (
        f"At the mentions of captions written without smoothing, KVSmooth {_DOES[total]} the odds of present over absent objects; "
        f"{alike(attention, contents, names, _DO)}{f': what it does {way}' if total else ''}."
    )


def paragraph(rows: Rows, found: Mapping[str, Any]) -> str:
    """The question's part of the findings page; every number is read from the results."""
    counts, origin = found["counts"], found["provenance"]
    lost = counts["images without a value"]
    asked = (
        "Asked: the change of log(probability of present and unnamed objects / of absent ones), in nat, at the "
        f"{counts['steps'][PRIMARY_OUTCOME]} places where the captions of {counts['images']} scenes name an object while one that is there "
        "is unnamed (an image counts once, by its mean). Each caption is the one without smoothing, and is fed to every arm. Attention "
        "rows of one arm are put into the other, layer by layer, with the same rates:"
    )
    lines = [f"| change, nat | {' | '.join(_SHOWN.values())} | images |", "|---" * (len(_SHOWN) + 2) + "|"]
    for outcome, words in _OUTCOMES.items():
        of = [rows[f"{PRIMARY_ARM}/{outcome}/{effect}"] for effect in _SHOWN]
        lines.append(f"| {words} | {' | '.join(map(_marked, of))} | {of[0]['n']} |")
    star = (
        f"Log-probabilities, exploratory. Asterisk: corrected p below {LEVEL:g}. Visual mass: the part of the total that is undone where "
        "each head's mass on the image is held at the baseline's."
    )
    also = {name: number(rows[f"{PRIMARY_ARM}/{PRIMARY_OUTCOME}/{name}"]) for name in ("interaction", "visual_mass")}
    mass = (
        f"Both parts and their interaction, {also['interaction']}, add up to the total. *Visual mass.* Where each head's mass on the "
        f"image is held at the baseline's, {also['visual_mass']} of the total is undone."
    )
    bound = (
        "What does not follow: that this is what changes hallucination in free captions. Words said were chosen without smoothing: any "
        "change of the model makes them less probable. With all rows put in, smoothed keys have no effect of their own, so that contents "
        "are values. "
        f"Captions without a hallucinated mention: {lost['hallucinated']} of {counts['images']}."
    )
    note = (
        f"`python -m analysis.mediation`. Brackets: {100 * origin['config']['level']:.4g} % cluster BCa interval over images; n: images; "
        f"p: sign flip over images, Holm over the outcomes of the table, else max-T over the effects of an arm ({len(EFFECTS)} effects on "
        f"{len(found['outcomes'])} outcomes). An object is known by the first token of its name. Figures: `figures/emoji/mediation/`."
    )
    return page(verdict(rows), asked, table(rows, _TABLE), mass, _guidance(rows), ending(rows), "\n".join(lines), star, bound, note)


def _guidance(rows: Rows) -> str:
    """The controls beside the method: a constant rate of the same mean, and other mixes."""

    def beside(control: str) -> tuple[str, str]:
        names = (f"{control}/{PRIMARY_OUTCOME}/total", f"{METHOD} - {control}/{PRIMARY_OUTCOME}/total")
        return number(rows[names[0]]), number(rows[names[1]])

    constant, beyond = beside(CONSTANT)
    told = (
        f"*Is it the guidance?* A constant rate of the same mean {_DOES[direction(rows[f'{CONSTANT}/{PRIMARY_OUTCOME}/total'])]} the odds: "
    )
    told += f"{constant}. KVSmooth minus that: {beyond}."
    told += " *Is it the average?* Other mixes, at rates of the same rule: "
    return told + "; ".join(f"{WORDS[mix]} {own}, KVSmooth minus it {less}" for mix in MIXES for own, less in [beside(mix)]) + "."


def ending(rows: Rows) -> str:
    """What smoothing does to the probability that a caption ends where it may, which is how long free captions become."""
    total, attention = (rows.get(f"{PRIMARY_ARM}/end/{effect}") for effect in ("total", "indirect"))
    if total is None or attention is None or not direction(total):
        return ""
    times, way = math.exp(abs(total["estimate"])), ("likelier", "shorter") if direction(total) > 0 else ("less likely", "longer")
    alone = f"the rows alone do {bracketed(attention)}" if direction(attention) == direction(total) else "not by its attention rows alone"
    return (
        "*How long captions become.* Where a sentence of these captions ends, KVSmooth makes the end of the caption "
        f"{brief(times, 3)} times {way[0]}: {bracketed(total)} nat, {alone}. A model that is asked so at every sentence writes {way[1]} "
        "captions, whatever it sees."
    )


def _marked(row: Mapping[str, Any]) -> str:
    return f"{bracketed(row)}{'*' if direction(row) else ''}"
