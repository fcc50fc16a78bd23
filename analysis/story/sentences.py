"""The story with its numbers, a sentence a part, written from the results."""

import math
from collections.abc import Sequence

from analysis.cells.names import PAPER
from analysis.dose.findings import CHOSEN, NONE, PUBLISHED
from analysis.form.findings import named
from analysis.mechanism.findings import NAMES, has_signature
from analysis.story.elsewhere import anew, others, percent
from analysis.story.results import RealLog, Rows, StorySources, SubjectResults
from analysis.story.signs import (
    SIZES,
    controls_of,
    form_alike,
    form_beyond,
    is_beyond_omission,
    judged,
    kinds,
    with_signature,
)
from analysis.telling.wording import brief, direction, listed, p_value

END_BIAS = "eos_bias x1"
"""Of the methods of others the cheapest way to say less: a bias of the end token, which knows nothing of the image."""
BOUND = 0.1
"""Where that many captions fewer end by themselves, their length is that of the bound, and is told so."""


def in_numbers(told: StorySources) -> list[str]:
    """What smoothing does, at what cost, at a fair dose, beyond saying less, by which mechanism, and what is open; a sentence each."""
    subjects = told.subjects
    return [
        published(subjects),
        broken(subjects),
        *others(subjects),
        *anew(subjects),
        fair(subjects),
        omission(subjects),
        *([form(subjects)] if any(subject.form for subject in subjects) else []),
        *([mechanism(subjects)] if any(subject.mechanism for subject in subjects) else []),
        *([language(told.texts)] if told.texts else []),
        *([real(told.logs)] if any(log.verdict for log in told.logs) else []),
        open_end(told.claimed),
    ]


def open_end(claimed: Sequence[str]) -> str:
    """What none of this can say, beside the nearest evidence that there is: the published rows."""
    said = f"**Open**: what KVSmooth does to a model of 7B parameters; {SIZES}, and their images are drawn"
    if not claimed:
        return f"{said}."
    return (
        f"{said}; the published rows of {listed(claimed)} lie beyond what leaving out gives there, but their captions could not be had, "
        "so that nobody can look at the text ([published](published.md))."
    )


def published(subjects: Sequence[SubjectResults]) -> str:
    """CHAIR at the published dose."""
    parts = []
    for subject in subjects:
        rows, dose = subject.dose, subject.origin["config"]["lambda_ref"]
        way = {-1: "fewer", 0: "not clearly more or fewer", 1: "more"}[direction(rows[f"test/chair_s/{PUBLISHED} - {NONE}"])]
        numbers = " against ".join(percent(rows, f"test/chair_s/{arm}") for arm in (PUBLISHED, NONE))
        recall = " against ".join(percent(rows, f"test/recall/{arm}") for arm in (PUBLISHED, NONE))
        parts.append(f"on {subject.name} {way} captions name an absent object at lambda_ref {dose:g} ({numbers}; recall {recall})")
    return f"**The published dose**: {listed(parts)}."


def broken(subjects: Sequence[SubjectResults]) -> str:
    """What the published dose does to the text, and to the probability of its end."""
    parts, ends = [], []
    for subject in subjects:
        looping, words = ([subject.dose[f"test/{name}/{arm}"]["estimate"] for arm in (NONE, PUBLISHED)] for name in ("looping", "length"))
        told = f"{words[0]:.0f} words become {words[1]:.0f}"
        ended = [subject.dose[f"test/ended/{arm}"]["estimate"] for arm in (NONE, PUBLISHED)]
        if ended[1] < ended[0] - BOUND:
            told += f", as {brief(100 * ended[1])} % end before the bound on tokens, {brief(100 * ended[0])} % without smoothing"
        if f"test/written/{NONE}" in subject.dose:
            shares = [100 * subject.dose[f"test/written/{arm}"]["estimate"] for arm in (NONE, PUBLISHED)]
            told += f"; sentences that its grammar can write go from {brief(shares[0])} % to {brief(shares[1])} %"
        parts.append(
            f"{100 * looping[1]:.3g} % of the captions of {subject.name} loop, {brief(100 * looping[0])} % without smoothing ({told})"
        )
        end = subject.mediation.get(f"{PAPER}/end/total")
        if direction(end):
            times = math.exp(abs(end["estimate"]))
            ends.append(f"{brief(times)} times {'likelier' if end['estimate'] > 0 else 'less likely'} on {subject.name}")
    why = f"; where a sentence of unsmoothed captions ends, their end is {listed(ends)}" if ends else ""
    return f"**The text breaks there**, which CHAIR cannot see: {listed(parts)}{why}."


def fair(subjects: Sequence[SubjectResults]) -> str:
    """The dose that the rule chose, and its one test."""
    parts = []
    for subject in subjects:
        dose = subject.origin["chosen"]
        if not dose:
            parts.append(f"on {subject.name} no dose that lowers CHAIR_i passes{_barred(subject.dose)}")
            continue
        row = subject.dose[f"confirmation/chair_i/{CHOSEN} - {NONE}"]
        way = {-1: "lowers", 0: "does not clearly change", 1: "raises"}[direction(row)]
        low, high = (f"{100 * limit:+.1f}" for limit in row["interval"])
        change = f"{100 * row['estimate']:+.1f} points [{low}, {high}], p {p_value(row['p_adjusted'], 'none')}"
        text = subject.dose.get(f"test/written/{CHOSEN} - {NONE}")
        worse = text is not None and direction(text) < 0
        told = f", while sentences that its grammar can write change by {100 * text['estimate']:+.1f} points" if worse else ""
        parts.append(f"on {subject.name} it is {dose:g}, and on {row['n']} fresh scenes it {way} CHAIR_i ({change}){told}")
    return f"**A fair dose**, chosen on other scenes among those that lose little recall and break few captions: {listed(parts)}."


def _barred(rows: Rows) -> str:
    """Of doses that broken captions alone bar, the one that breaks the fewest."""
    read = {name.rpartition("/")[2]: row["estimate"] for name, row in rows.items() if name.startswith("validation/broken/")}
    plain, others = read.pop("0", 0.0), sorted(read, key=lambda dose: read[dose])
    if not others:
        return ""
    return f" (at {others[0]} {brief(100 * read[others[0]])} % of the captions are broken, {brief(100 * plain)} % without smoothing)"


def omission(subjects: Sequence[SubjectResults]) -> str:
    """Whether either dose does what leaving out could not."""
    parts = []
    for subject in subjects:
        for arm, name in ((CHOSEN, "the fair dose"), (PUBLISHED, "the published dose")):
            row = subject.dose.get(f"{arm}/beyond every line/chair_s")
            if row is not None:
                is_beyond = "" if is_beyond_omission(subject, arm) else "not "
                parts.append(f"{name} on {subject.name} is {is_beyond}beyond it ({100 * row['estimate']:+.1f} points)")
    ends = [
        f"{percent(subject.methods, f'{END_BIAS}/chair_s')} at recall {percent(subject.methods, f'{END_BIAS}/recall')} on {subject.name}"
        f"{_broken_of(subject.methods)}"
        for subject in subjects
        if f"{END_BIAS}/recall" in subject.methods
    ]
    bias = f"; a bias of the end token, which knows nothing of the image, gives {listed(ends)}" if ends else ""
    return (
        f"**Saying less** lowers CHAIR_s too; against what leaving out mentions or sentences would give at equal recall, "
        f"{listed(parts)}{bias}."
    )


def _broken_of(rows: Rows) -> str:
    """How many captions the bias of the end token breaks, of those that were read; "" where none was."""
    row = rows.get(f"test/broken/{END_BIAS}")
    return "" if row is None else f" ({100 * row['estimate']:.0f} % of {row['n']} captions broken)"


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


def form(subjects: Sequence[SubjectResults]) -> str:
    """What the published dose changes where the sentences are given, and whether controls do the same."""
    parts = []
    for subject in subjects:
        if subject.form:
            way, controls, alike = direction(subject.form[f"absent/{PAPER} - {NONE}"]), controls_of(subject), form_alike(subject)
            share = [subject.form[f"absent/{arm}"]["estimate"] for arm in (PAPER, NONE)]
            told = {-1: "fewer", 0: "not clearly fewer or more", 1: "more"}[way]
            recall = " against ".join(percent(subject.form, f"recall/{arm}") for arm in (PAPER, NONE))
            beyond = subject.form.get(f"{PAPER}/beyond every line/precision")
            past = "" if beyond is None else f", {'' if form_beyond(subject) else 'not '}beyond what leaving out gives"
            also = f"; so it is under {len(alike)} of {len(controls)} controls" if controls else ""
            further = [named(arm) for arm in controls if form_beyond(subject, arm)]
            also += f", beyond what leaving out gives under {listed(further)}" if further else ""
            parts.append(
                f"on {subject.name} {told} of the different objects that KVSmooth chooses are absent ({100 * share[0]:.1f} % against "
                f"{100 * share[1]:.1f} %; recall {recall}){past}{also}"
            )
    return f"**What is said**, where the sentences are given and only their objects are chosen: {'; '.join(parts)}."


def mechanism(subjects: Sequence[SubjectResults]) -> str:
    """Which controls have the mechanism's signature as well."""
    parts = []
    for subject in subjects:
        if subject.mechanism:
            with_it = [NAMES.get(arm, arm) for arm in with_signature(subject)]
            own, do = has_signature(subject.mechanism, PAPER), "does" if len(with_it) == 1 else "do"
            said, also = "KVSmooth does both" if own else "KVSmooth does not do both", "and no control does"
            if with_it:
                also = f"and so {do} {listed(with_it)}" if own else f"while {listed(with_it)} {do}"
            parts.append(f"on {subject.name} {said}, {also}")
    return (
        f"**The mechanism** (attention kept on the image beyond dilution, hidden states near it, on the same tokens): {'; '.join(parts)}."
    )


def real(logs: Sequence[RealLog]) -> str:
    """What others' methods do to the captions of large models, of which one at least was compared with a greedy log."""
    compared, lower, better = judged(logs)
    greedy = max(log.looping for log in logs if log.method == "greedy")
    most = max(compared, key=lambda log: log.looping)
    return (
        f"**Real captions** of 7B models: {len(lower)} of {len(compared)} logs ({kinds(compared)}) lower CHAIR against greedy ones, "
        f"{len(better) or 'none'} by seeing better alone; of these logs up to {100 * most.looping:.0f} % of the captions loop "
        f"({most.method} on {most.model}), greedily at most {100 * greedy:.1f} %."
    )
