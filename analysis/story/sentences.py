"""The story in a few sentences, written from the results."""

import math
from collections.abc import Sequence

from analysis.dose.findings import CHOSEN, NONE, PUBLISHED
from analysis.story.results import Rows, SubjectResults
from analysis.telling.wording import direction, listed, p_value

ALPHA = 0.05


def one_minute(subjects: Sequence[SubjectResults], texts: Rows) -> str:
    """What smoothing does, at what cost, at a fair dose, beyond saying less, and what is open; each a sentence over all subjects."""
    said = [
        published(subjects),
        broken(subjects),
        fair(subjects),
        omission(subjects),
        *([language(texts)] if texts else []),
        "What a model of 7B parameters bears is not known here: these subjects have 3 and 135 million, and their images are drawn.",
    ]
    return "\n".join(f"{number}. {sentence}" for number, sentence in enumerate(said, 1))


def published(subjects: Sequence[SubjectResults]) -> str:
    """CHAIR at the published dose."""
    parts = []
    for subject in subjects:
        rows, dose = subject.dose, subject.origin["config"]["lambda_ref"]
        way = {-1: "fewer", 0: "not clearly more or fewer", 1: "more"}[direction(rows[f"test/chair_s/{PUBLISHED} - {NONE}"])]
        numbers = " against ".join(_percent(rows, f"test/chair_s/{arm}") for arm in (PUBLISHED, NONE))
        recall = " against ".join(_percent(rows, f"test/recall/{arm}") for arm in (PUBLISHED, NONE))
        parts.append(f"on {subject.name} {way} captions name an absent object at lambda_ref {dose:g} ({numbers}; recall {recall})")
    return f"**The published dose**: {listed(parts)}."


def broken(subjects: Sequence[SubjectResults]) -> str:
    """What the published dose does to the text."""
    parts = []
    for subject in subjects:
        looping, words = ([subject.dose[f"test/{name}/{arm}"]["estimate"] for arm in (NONE, PUBLISHED)] for name in ("looping", "length"))
        parts.append(
            f"{100 * looping[1]:.3g} % of the captions of {subject.name} loop, {100 * looping[0]:.2g} % without smoothing "
            f"({words[0]:.0f} words become {words[1]:.0f})"
        )
    return f"**The text breaks there**, which CHAIR cannot see: {listed(parts)}."


def fair(subjects: Sequence[SubjectResults]) -> str:
    """The dose that the rule chose, and its one test."""
    parts = []
    for subject in subjects:
        dose = subject.origin["chosen"]
        if not dose:
            parts.append(f"on {subject.name} no dose passes")
            continue
        row = subject.dose[f"test/chair_i/{CHOSEN} - {NONE}"]
        way = {-1: "lowers", 0: "does not clearly change", 1: "raises"}[direction(row)]
        low, high = (f"{100 * limit:+.1f}" for limit in row["interval"])
        change = f"{100 * row['estimate']:+.1f} points [{low}, {high}], p {p_value(row['p_adjusted'], 'none')}"
        parts.append(f"on {subject.name} it is {dose:g}, and on test scenes it {way} CHAIR_i ({change})")
    return f"**A fair dose**, chosen on other scenes among those that cost neither recall nor text: {listed(parts)}."


def omission(subjects: Sequence[SubjectResults]) -> str:
    """Whether either dose does what leaving out could not."""
    parts = []
    for subject in subjects:
        for arm, name in ((CHOSEN, "the fair dose"), (PUBLISHED, "the published dose")):
            row = subject.dose.get(f"{arm}/beyond every line/chair_s")
            if row is not None:
                beyond = row["p_adjusted"] < ALPHA and row["estimate"] < 0
                parts.append(f"{name} on {subject.name} is {'' if beyond else 'not '}beyond it ({100 * row['estimate']:+.1f} points)")
    return (
        f"**Saying less** lowers CHAIR_s too; against what leaving out mentions or sentences would give at equal recall, {listed(parts)}."
    )


def language(rows: Rows) -> str:
    """What smoothing costs a language model, and whether guidance spares it."""
    whole = rows["kvsmooth - baseline/nll"]
    mean = rows["kvsmooth - mean/nll"]
    way = {-1: "less than", 0: "not clearly less or more than", 1: "more than"}[direction(mean)]
    low, high = (math.exp(limit) for limit in whole["interval"])
    return (
        f"**A language model alone**, reading plain texts, has its perplexity multiplied by {math.exp(whole['estimate']):.2f} "
        f"[{low:.2f}, {high:.2f}] at the published dose; guidance by entropy costs {way} a constant rate of its mean (a factor of "
        f"{math.exp(mean['estimate']):.3f})."
    )


def _percent(rows: Rows, name: str) -> str:
    return f"{100 * rows[name]['estimate']:.1f} %"
