"""The story in five sentences, of the signs of corrected tests; `analysis.story.sentences` has the numbers of each."""

from collections.abc import Callable, Sequence

from analysis.cells.names import PAPER
from analysis.dose.findings import CHOSEN, NONE, PUBLISHED
from analysis.form.findings import doses_beyond
from analysis.mechanism.findings import has_signature
from analysis.story.results import StorySources, SubjectResults
from analysis.story.sentences import in_numbers
from analysis.story.signs import (
    SIZES,
    controls_of,
    form_alike,
    form_beyond,
    is_beyond_omission,
    judged,
    kinds,
    part_of_signature,
    published_for,
    with_signature,
)
from analysis.telling.wording import brief, direction, listed

Subjects = Sequence[SubjectResults]


def one_minute(told: StorySources) -> str:
    """The five sentences, and under them, folded, each part with its numbers."""
    numbers = "\n".join(f"* {sentence}" for sentence in in_numbers(told))
    return "\n".join([*five(told), "", "<details><summary>The same with its numbers</summary>", "", numbers, "", "</details>"])


def five(told: StorySources) -> list[str]:
    """What the published dose does, whether a dose is fair, whether it is more than saying less, by which mechanism, what is open."""
    subjects = told.subjects
    said = [dose(subjects), fair(subjects), rivals(subjects), *mechanism(subjects), open_question(told)]
    return [f"{number}. {sentence}" for number, sentence in enumerate(said, 1)]


def dose(subjects: Subjects) -> str:
    """CHAIR_s and loops at the published dose."""
    ways = {-1: "falls", 0: "does not clearly change", 1: "rises"}
    chair = []
    for one in subjects:
        way = ways[direction(one.dose[f"test/chair_s/{PUBLISHED} - {NONE}"])]
        chair.append(f"{way} on {one.name} ({_of(one, 'chair_s', NONE)} to {_of(one, 'chair_s', PUBLISHED)})")
    broke = [one for one in subjects if direction(one.dose[f"test/looping/{PUBLISHED} - {NONE}"]) > 0]
    loops = [f"{_of(one, 'looping', PUBLISHED)} of the captions of {one.name} loop ({_of(one, 'looping', NONE)} without)" for one in broke]
    text = f", and the text breaks: {listed(loops)}" if loops else ", and not clearly more captions loop"
    where = f"KVSmooth at lambda_ref {subjects[0].origin['config']['lambda_ref']:g}{published_for(subjects[0])}"
    return f"Under {where} CHAIR_s of greedy captions {listed(chair)}{text}."


def fair(subjects: Subjects) -> str:
    """Which subjects have a dose that the rule admits, and what its one test said."""
    without, found = _parted(subjects, lambda one: not one.origin["chosen"])
    said = []
    if without:
        said.append(f"on {_names(without)} no dose that was tried lowers CHAIR_i without losing recall or breaking captions")
    ways = {-1: "lowers it on fresh scenes too", 0: "does not clearly lower it on fresh scenes", 1: "raises it on fresh scenes"}
    for one in found:
        way = ways[direction(one.dose[f"confirmation/chair_i/{CHOSEN} - {NONE}"])]
        said.append(f"on {one.name} a dose of {one.origin['chosen']:g} lowers CHAIR_i, keeps recall and text, and {way}")
    return _sentence("; ".join(said))


def rivals(subjects: Subjects) -> str:
    """Whether the published dose gives more than leaving out does, and whether what it chooses is its own."""
    beyond, less = _parted(subjects, lambda one: is_beyond_omission(one, PUBLISHED))
    against = "leaving out mentions or sentences at the same recall"
    said = [f"the published dose lowers CHAIR_s further than {against} on {_names(beyond)}"] if beyond else []
    said += [f"the published dose is not shown to lower CHAIR_s further than {against} on {_names(less)}"] if less else []
    asked = [one for one in subjects if one.form]
    fewer = [one for one in asked if direction(one.form[f"absent/{PAPER} - {NONE}"]) < 0]
    if fewer:
        beside = [(one.name, len(form_alike(one)), len(controls_of(one))) for one in fewer if controls_of(one)]
        also = f", and so it does under {_several(beside)}" if beside else ""
        past = [one for one in fewer if form_beyond(one)]
        more = f"beyond leaving out on {_names(past)}" if past else "not shown to be beyond leaving out"
        small = [f"at {listed(doses)} it is on {one.name}" for one in asked if (doses := doses_beyond(one.form))]
        more += f" ({listed(small)})" if small else ""
        said.append(f"with the sentences fixed, its choice of objects holds fewer absent ones on {_names(fewer)}, {more}{also}")
    return _sentence("; ".join(said))


def mechanism(subjects: Subjects) -> list[str]:
    """Where attention stays on the image and hidden states near it, and whether KVSmooth alone does that; nothing where nobody asked."""
    asked = [one for one in subjects if one.mechanism]
    if not asked:
        return []
    own, other = _parted(asked, lambda one: has_signature(one.mechanism, PAPER))
    alone, shared = _parted(own, lambda one: not with_signature(one))
    said = [f"on {_names(alone)}, where no control does so"] if alone else []
    said += [f"on {_names(shared)}, where a control does the same"] if shared else []
    said += [f"{'but ' if own else ''}on {one.name} {part_of_signature(one)}" for one in other]
    both = "attention on the image, and hidden states near it,"
    lead = f"It keeps {both}" if own else f"It is not shown to keep both, {both}"
    return [f"{lead} {', '.join(said)}."]


def open_question(told: StorySources) -> str:
    """What none of this can say, and what real captions say of other methods."""
    compared, lower, better = judged(told.logs)
    said = f"What it does to a model of 7B parameters is open: {SIZES}"
    if not compared:
        return f"{said}."
    return (
        f"{said}; of {len(compared)} logs of such models beside greedy ones ({kinds(compared)}) {len(lower)} lower CHAIR, "
        f"{len(better) or 'none'} by seeing better alone."
    )


def _several(beside: Sequence[tuple[str, int, int]]) -> str:
    """Of subjects, how many of how many controls."""
    if all(alike == controls for _, alike, controls in beside):
        return "every control"
    if len(beside) > 1 and len({(alike, controls) for _, alike, controls in beside}) == 1:
        return f"{beside[0][1]} of {beside[0][2]} controls on each"
    return listed([f"{alike} of {controls} controls on {name}" for name, alike, controls in beside])


def _of(subject: SubjectResults, measure: str, arm: str) -> str:
    return f"{brief(100 * subject.dose[f'test/{measure}/{arm}']['estimate'], 3)} %"


def _names(subjects: Subjects) -> str:
    return listed([one.name for one in subjects])


def _parted(subjects: Subjects, which: Callable[[SubjectResults], bool]) -> tuple[list[SubjectResults], list[SubjectResults]]:
    return [one for one in subjects if which(one)], [one for one in subjects if not which(one)]


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."
