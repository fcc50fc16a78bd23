"""What dose.json says, in words."""

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.captions.measures import MEASURES
from analysis.dose.controls import CONTROLS
from analysis.dose.grammar import LABEL
from analysis.dose.rule import BROKEN_RISE, LOOPING_RISE, RECALL_LOSS
from analysis.telling.wording import Rows, bracketed, brief, direction, listed, p_value, page

SHOWN = ("chair_i", "chair_s", "recall", "f1", "repeated_4grams", "looping", "length", "ended")
NONE, CHOSEN, PUBLISHED = "none", "chosen", "published"
_WAY = {-1: "lowers", 0: "does not clearly change", 1: "raises"}


def verdict(rows: Rows, dose: float, published: float) -> str:
    """Which dose the rule chose, what it does to CHAIR_i on test scenes, and what the published one does there."""
    if not dose:
        said = "no dose lowers CHAIR_i on validation scenes without losing recall or breaking captions: the fair dose is none"
    else:
        row = rows[f"confirmation/chair_i/{CHOSEN} - {NONE}"]
        said = f"the fair dose is lambda_ref {dose:g}, and on {row['n']} fresh scenes it {_WAY[direction(row)]} CHAIR_i ({bracketed(row)})"
    looping = [rows[f"test/looping/{arm}"]["estimate"] for arm in (NONE, PUBLISHED)]
    known = rows[f"test/chair_i/{PUBLISHED} - {NONE}"]
    told = f"{said}; the published {published:g} {_WAY[direction(known)]} it ({bracketed(known)})"
    text = f"{told}, with {100 * looping[1]:.3g} % of captions looping, {brief(100 * looping[0])} % without smoothing."
    return f"{text[0].upper()}{text[1:]}"


def paragraph(rows: Rows, found: Mapping[str, Any]) -> str:
    """The question's part of the page; every number is read from the results."""
    origin = found["provenance"]
    doses = list(dict.fromkeys(row["where"]["arm"] for row in rows.values() if row["where"].get("split") == "validation"))
    scenes = rows[f"validation/chair_i/{doses[0]}"]["n"]
    asked = (
        f"Asked: does smoothing help at a dose that is chosen fairly? Rule, fixed in the code: on {scenes} validation scenes, the dose of "
        f"the lowest CHAIR_i among those that lose at most {RECALL_LOSS:g} of recall and add at most {LOOPING_RISE:g} of looping captions "
        f"and {BROKEN_RISE:g} of broken ones{_read(rows, doses)}. Then one test of the chosen dose on scenes that no other question shows. "
        f"lambda_ref is the centre of the rates, which lie within 0.2 of it and between 0 and 1: no dose but 0 is a small one. "
        f"The {origin['n']} test scenes had been seen under other arms when the rule was written, so that what is told of them describes."
    )
    shown = {name: MEASURES[name].label for name in SHOWN} | ({"written": LABEL} if f"test/written/{NONE}" in rows else {})
    head = f"| {' | '.join(shown.values())} |"
    lines = [f"| validation, lambda_ref {head}", "|---" * (len(shown) + 1) + "|"]
    for dose in doses:
        name = f"**{dose}**" if float(dose) == origin["chosen"] else dose
        lines.append(f"| {name} | {' | '.join(bracketed(rows[f'validation/{measure}/{dose}']) for measure in shown)} |")
    arms = list(
        dict.fromkeys(row["where"]["arm"] for row in rows.values() if row["where"].get("split") == "test" and "arm" in row["where"])
    )
    tested = [f"| test {head}", "|---" * (len(shown) + 1) + "|"]
    for arm in arms:
        tested.append(f"| {named(arm)} | {' | '.join(bracketed(rows[f'test/{measure}/{arm}']) for measure in shown)} |")
    for arm in arms[1:]:
        cells = [_marked(rows[f"test/{measure}/{arm} - {NONE}"]) for measure in shown]
        tested.append(f"| {named(arm)} minus none | {' | '.join(cells)} |")
    tested += [*_fresh(rows, shown), "", *_fluent(rows, arms), *_beyond(rows, arms[1:])]
    note = (
        f"`python -m analysis.dose`. Brackets: {100 * origin['config']['level']:.4g} % cluster BCa intervals over images. Asterisk: p "
        "below 0.05, exchange of the arms within images; CHAIR_i of the chosen dose on fresh scenes alone is confirmatory, others by Holm, "
        "doses and controls apart. Bold: chosen."
    )
    if any(arm in CONTROLS for arm in arms):
        note += (
            f" The last {sum(arm in CONTROLS for arm in arms)} arms are controls at the published dose: the mean of its rates as a "
            "constant, its rates in another order, its mix without shrinking, its mix without turning, and a step of its size in a random "
            "direction."
        )
    said = verdict(rows, origin["chosen"], origin["config"]["lambda_ref"])
    return page(said, asked, "\n".join(lines), "\n".join(tested), quoted(found["examples"]), note)


def _read(rows: Rows, doses: Sequence[str]) -> str:
    """What the language model found among validation captions, of the doses that the rest of the rule admits."""
    read = [dose for dose in doses if f"validation/broken/{dose}" in rows]
    if not read:
        return " (no caption was read for that: every dose falls by the rest of the rule)"
    return f" (broken, of the validation captions that the language model read: {listed([_at(rows, dose) for dose in read])})"


def _at(rows: Rows, dose: str) -> str:
    return f"{_percent(rows, dose)} at dose {dose}"


def _percent(rows: Rows, dose: str) -> str:
    return f"{100 * rows[f'validation/broken/{dose}']['estimate']:.3g} %"


def _fresh(rows: Rows, shown: Mapping[str, str]) -> list[str]:
    """The confirmatory test, and the other measures of its scenes."""
    if f"confirmation/chair_i/{CHOSEN} - {NONE}" not in rows:
        return []
    measures = [name for name in shown if f"confirmation/{name}/{NONE}" in rows]
    head = ["", f"| fresh scenes | {' | '.join(shown[name] for name in measures)} |", "|---" * (len(measures) + 1) + "|"]
    body = [f"| {arm} | {' | '.join(bracketed(rows[f'confirmation/{name}/{arm}']) for name in measures)} |" for arm in (NONE, CHOSEN)]
    change = " | ".join(_marked(rows[f"confirmation/{name}/{CHOSEN} - {NONE}"]) for name in measures)
    return [*head, *body, f"| chosen minus none | {change} |"]


def quoted(examples: Mapping[str, Sequence[str]]) -> str:
    """What the captions look like: of the first scene, one of each arm."""
    lines = [f"> **{arm}.** {examples[arm][0]}" for arm in (NONE, CHOSEN, PUBLISHED) if arm in examples]
    return "*Read them.* The first test scene:\n\n" + "\n>\n".join(lines)


def _fluent(rows: Rows, arms: Sequence[str]) -> list[str]:
    """What a language model thinks of the captions."""
    if f"test/nll/{NONE}" not in rows:
        return []
    nll = "; ".join(f"{named(arm)} {bracketed(rows[f'test/nll/{arm}'])}" for arm in arms)
    wrong = "; ".join(f"{named(arm)} {100 * rows[f'test/broken/{arm}']['estimate']:.3g} %" for arm in arms)
    itself = [f"{named(arm)} {bracketed(rows[f'test/own_nll/{arm}'])}" for arm in arms if f"test/own_nll/{arm}" in rows]
    own = f"To the subject itself, without smoothing and with the image: {'; '.join(itself)}. " if itself else ""
    shuffled = 100 * rows[f"test/broken/{NONE}, words shuffled"]["estimate"]
    return [
        f"*Fluency*, first {rows[f'test/nll/{NONE}']['n']} test captions, nat a token under SmolLM2, which never saw the image: {nll}. "
        f"{own}Loops are cheap to a language model, so that a low number alone is no praise. Broken (loops, or dearer than 99 in 100 "
        f"captions without smoothing): {wrong}; of those without smoothing with their words shuffled {shuffled:.3g} %.",
        "",
    ]


def _beyond(rows: Rows, arms: Sequence[str]) -> list[str]:
    """How far each dose lies from what leaving out would give at its own recall."""
    told = []
    for arm in arms:
        near = {measure: rows[f"{arm}/beyond every line/{measure}"] for measure in ("chair_s", "chair_i")}
        said = [f"{MEASURES[name].label} {bracketed(row)}, p {p_value(row['p_adjusted'], 'none')}" for name, row in near.items()]
        told.append(f"{named(arm)}: {'; '.join(said)}")
    return [
        "*Omission.* What leaving out mentions or sentences of the captions without smoothing would give at the same recall is no better "
        "seeing. Beyond the nearest such line (at random, late first, background first, the worst positions first; below 0 is better): "
        f"{'. '.join(told)}."
    ]


def named(arm: str) -> str:
    """An arm as a reader is told of it."""
    return CONTROLS.get(arm, arm)


def summary(rows: Rows, found: Mapping[str, Any]) -> str:
    """What a person reads at the end of a run."""
    origin = found["provenance"]
    return verdict(rows, origin["chosen"], origin["config"]["lambda_ref"])


def _marked(row: Mapping[str, Any]) -> str:
    return bracketed(row) + (" *" if row["p_adjusted"] < 0.05 else "")
