"""What form.json says, in words."""

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.cells.names import MIX_WORDS
from analysis.form.measures import MEASURES
from analysis.form.names import SHUFFLED
from analysis.form.results import TESTED
from analysis.form.sentences import FORM, PLACES
from analysis.published.verdict import is_better
from analysis.telling.wording import NO_P, Rows, bracketed, direction, listed, p_value, page

PAPER = "kvsmooth"
NAMES = {f"{PAPER}:mix={mix}": words for mix, words in MIX_WORDS.items()} | {SHUFFLED: "rates shuffled"}
_WAY = {-1: "fewer", 0: "no clear change in", 1: "more"}


def verdict(arms: Sequence[str], rows: Rows) -> str:
    """What the published dose does to the objects that are chosen, and which other arms do the same."""
    none, others = arms[0], arms[1:]
    paper = PAPER if PAPER in others else others[0]
    change = {name: rows[f"{name}/{paper} - {none}"] for name in ("absent", "recall")}
    way = direction(change["absent"])
    recall = {-1: "falls", 0: "does not clearly change", 1: "rises"}[direction(change["recall"])]
    alike = [arm for arm in others if arm != paper and direction(rows[f"absent/{arm} - {none}"]) == way]
    same = _same([named(arm) for arm in alike], [named(arm) for arm in others if arm not in (paper, *alike)])
    further = ", beyond what leaving out gives" if is_better(rows, paper) else ", not beyond what leaving out gives" if way < 0 else ""
    doses = doses_beyond(rows)
    further += f" (at lambda_ref {listed(doses)} it is beyond)" if further and doses else ""
    filled = 100 * rows[f"changed/{paper}"]["estimate"]
    return (
        f"With the sentences fixed, {paper} fills {filled:.0f} % of the places otherwise, with {_WAY[way]} absent objects "
        f"among the different ones ({bracketed(change['absent'])}){same}{further}; recall {recall} ({bracketed(change['recall'])})."
    )


def doses_beyond(rows: Rows) -> list[str]:
    """Other doses at which the choice of objects lies beyond every omission line."""
    head, end = f"{PAPER}:lambda_ref=", "/beyond every line/precision"
    arms = [name.removesuffix(end) for name in rows if name.startswith(head) and name.endswith(end)]
    return [arm.removeprefix(head) for arm in arms if is_better(rows, arm)]


def _same(alike: Sequence[str], apart: Sequence[str]) -> str:
    """Under which other arms the share of absent objects goes the same way, by those under which it does not where these are few."""
    if len(alike) > 1 and len(apart) < 3:
        return f", as under every other arm{f' but {listed(apart)}' if apart else ''}"
    return f", as under {listed(alike)}" if alike else ""


def paragraph(arms: Sequence[str], rows: Rows, found: Mapping[str, Any]) -> str:
    """The question's part of the page; every number is read from the results."""
    origin = found["provenance"]
    asked = (
        "Asked: smoothing turns captions into lists, and lists hold other objects than sentences do. Does it change *what* is said where "
        f"it cannot change how? The sentences are given, with {PLACES} places, and at each the model chooses the likeliest of its objects. "
        f"*{FORM.format(*['…'] * PLACES)}*"
    )
    lines = [f"| arm | {' | '.join(measure.label for measure in MEASURES.values())} |", "|---" * (len(MEASURES) + 1) + "|"]
    for arm in arms:
        lines.append(f"| {named(arm)} | {' | '.join(_cell(rows, arm, arms[0], name) for name in MEASURES)} |")
    far = [_beyond(rows, arm) for arm in arms[1:]]
    beyond = (
        "*Omission.* Beyond what leaving mentions or sentences out of the captions without a method gives at the same recall (below 0 is "
        f"better; precision, above): {'; '.join(far)}."
    )
    quoted = "\n>\n".join(f"> **{arm}.** {texts[0]}" for arm, texts in found["examples"].items() if arm in (arms[0], PAPER) and texts)
    note = (
        f"`python -m analysis.form`. {origin['n']} scenes; shares. Brackets: {100 * origin['config']['level']:.4g} % cluster BCa intervals "
        "over scenes, of none its level, of the others the change. Asterisk: p below 0.05; behind two distances: p of one of them is, and "
        "the other points the same way. p of a distance: of all lines, Holm over arms; of the table: exchange of the arms within scenes, "
        "Holm over arms (absent among different objects and recall together, the others together). Places filled "
        "otherwise are described only."
    )
    return page(verdict(arms, rows), asked, "\n".join(lines), beyond, f"The first scene:\n\n{quoted}" if quoted else "", note)


def named(arm: str) -> str:
    """An arm as a reader calls it: a mix by what it keeps."""
    return NAMES.get(arm, arm)


def summary(arms: Sequence[str], rows: Rows) -> str:
    """What a person reads at the end of a run."""
    return verdict(arms, rows)


def _beyond(rows: Rows, arm: str) -> str:
    near = {name: rows[f"{arm}/beyond every line/{name}"] for name in ("chair_s", "precision")}
    told = ", ".join(
        f"{label} {bracketed(near[name])} p {p_value(near[name]['p_adjusted'], NO_P)}"
        for name, label in (("chair_s", "captions with one"), ("precision", "precision"))
    )
    return f"{named(arm)}: {told}{' *' if is_better(rows, arm) else ''}"


def _cell(rows: Rows, arm: str, none: str, name: str) -> str:
    if arm == none or name not in TESTED:
        return bracketed(rows[f"{name}/{arm}"])
    change = rows[f"{name}/{arm} - {none}"]
    return f"{rows[f'{name}/{arm}']['estimate']:.3f} ({bracketed(change)}{' *' if direction(change) else ''})"
