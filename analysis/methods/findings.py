"""What methods.json says, in words."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any

from analysis.dose.rule import LOOPING_RISE, RECALL_LOSS
from analysis.methods import costs
from analysis.methods.real import beside_real
from analysis.methods.strengths import named
from analysis.methods.trial import NONE
from analysis.published.verdict import BETTER, NOT_LOWERING, RAISES, Verdict
from analysis.telling.wording import Rows, bracketed, direction, listed, page

SHOWN = {
    "chair_s": "CHAIR_s",
    "chair_i": "CHAIR_i",
    "recall": "recall",
    "f1": "F1",
    "length": "words",
    "repeated_4grams": "repeated 4-grams",
    "looping": "looping",
}
SHARES = tuple(name for name in SHOWN if name != "length")
SECONDS = " Seconds: of the processor, a caption of this table, in the run that spoke it."
CHANGED = ("chair_s", "chair_i", "recall", "f1", "repeated_4grams")


def lowered(found: Mapping[str, Any]) -> list[str]:
    """Arms that lower CHAIR."""
    return [one["arm"] for one in found["verdicts"] if one["verdict"] not in NOT_LOWERING]


def headline(found: Mapping[str, Any]) -> str:
    """How many arms lower CHAIR, and how many of them by seeing better alone."""
    tuned = [named(method, strength) for method, strength in found["chosen"].items() if strength]
    own = [named(method, 1.0) for method in found["chosen"]]
    fell, better = lowered(found), [one["arm"] for one in found["verdicts"] if one["verdict"] == BETTER]
    raised = [one["arm"] for one in found["verdicts"] if one["verdict"] == RAISES]
    rise = f"CHAIR is raised by {_several(raised, tuned)} of the chosen strengths and {_several(raised, own)} of the sources' own settings."
    rise = rise if raised else "None raises it for certain."
    named_ones = f", {listed(fell)}" if 0 < len(fell) <= 4 else ""
    return (
        f"Of {len(found['chosen'])} methods and controls, {len(tuned) or 'none'} {'have' if len(tuned) > 1 else 'has'} a strength that "
        f"lowers CHAIR_i on validation scenes within the rule. On test scenes {_several(fell, tuned)} of these and "
        f"{_several(fell, own)} of the sources' own "
        f"settings lower CHAIR{named_ones}; by seeing better alone {_several(better, [*tuned, *own])}. {rise}"
    )


def paragraph(rows: Rows, found: Mapping[str, Any]) -> str:
    """The question's part of the page; every number is read from the results."""
    origin = found["provenance"]
    config, n = origin["config"], origin["n"]
    asked = (
        f"Asked on {origin['model_id']}{_search(config)}: does a method lower CHAIR by seeing better, by saying less, or by repeating? "
        f"Each is tried at {listed([f'{one:g}' for one in config['strengths']])} times its source's setting on {config['validation']} "
        f"validation scenes. Chosen is the strength of the lowest CHAIR_i among those that lose at most {RECALL_LOSS:g} of recall "
        f"and add at most {LOOPING_RISE:g} of looping captions; for captions broken in another way `analysis.dose` looks too, this rule "
        f"does not. Then {n} test scenes judge what was chosen (bold), and the source's own setting (x1)."
    )
    note = (
        f"`{_command(config)}`. In percent but for words; brackets: {100 * config['level']:.4g} % cluster BCa intervals over images; "
        "asterisk: p below 0.05, exchange of the arms within images, Holm over all arms. Verdicts are those of the "
        "[real captions](published.md): seeing better is to lie beyond every omission line at the same recall."
    )
    if (row := rows.get(f"test/broken/{NONE}")) is not None:
        note += (
            f" Broken: of the first {row['n']} test captions those that loop, or cost a language model that saw no image more than 99 in "
            "100 of those without a method."
        )
    beams = config.get("beams", 1)
    note += costs.note(beams) if costs.costs(beams) else ""
    note += SECONDS if found.get("seconds") else ""
    return page(headline(found), asked, table(rows, found), aside(found), beside_real(rows, found), note + _earlier(origin))


def table(rows: Rows, found: Mapping[str, Any]) -> str:
    """A line an arm: its level, for CHAIR and recall the change with its interval, broken captions, what it costs and the verdict."""
    said = {one["arm"]: Verdict(one["verdict"], tuple(one["parts"]), one["shares"]).words for one in found["verdicts"]}
    fluent = f"test/broken/{NONE}" in rows
    spent, seconds = costs.costs(found["provenance"]["config"].get("beams", 1)), found.get("seconds")
    head = [
        *SHOWN.values(),
        *([f"broken (of {rows[f'test/broken/{NONE}']['n']})"] if fluent else []),
        *(["time"] if spent else []),
        *(["seconds"] if seconds else []),
        "verdict",
    ]
    lines = [f"| arm | {' | '.join(head)} |", "|---" * (len(head) + 1) + "|"]
    tuned = {named(method, strength) for method, strength in found["chosen"].items() if strength}
    for arm in (NONE, *said):
        cells = [_level(rows, arm, name) for name in SHOWN]
        cells += [_broken(rows, arm)] if fluent else []
        cells += [costs.cell(spent, arm)] if spent else []
        cells += [f"{seconds[arm]:.2g}" if arm in seconds else "–"] if seconds else []
        name = f"**{arm}**" if arm in tuned else arm
        lines.append(f"| {name} | {' | '.join([*cells, said.get(arm, '')])} |")
    return "\n".join(lines)


def aside(found: Mapping[str, Any]) -> str:
    """Of which methods the rule chooses no strength, which were given what, and which were not tried, with the reasons."""
    none = [method for method, strength in found["chosen"].items() if not strength]
    parts = [f"Of {listed(none)} no strength within the rule lowers CHAIR_i on validation scenes."] if none else []
    given = [f"{name}, {what}" for name, what in found.get("given", {}).items()]
    parts += [f"Given beforehand: {'; '.join(given)}."] if given else []
    parts += [f"Not in the table: {name}, {why.rstrip('.')}." for name, why in found["aside"].items()]
    return " ".join(parts)


def _level(rows: Rows, arm: str, name: str) -> str:
    row = rows[f"{arm}/{name}"]
    if not math.isfinite(row["estimate"]):
        return "–"
    value = f"{100 * row['estimate']:.1f}" if name in SHARES else f"{row['estimate']:.0f}"
    change = rows.get(f"{arm} - {NONE}/{name}")
    if change is None or name not in CHANGED:
        return value
    scaled = {**change, "estimate": 100 * change["estimate"], "interval": [100 * end for end in change["interval"]]}
    return f"{value} ({bracketed(scaled)}{' *' if direction(change) else ''})"


def _broken(rows: Rows, arm: str) -> str:
    row = rows.get(f"test/broken/{arm}")
    return "" if row is None else f"{100 * row['estimate']:.0f}"


def _search(config: Mapping[str, Any]) -> str:
    beams = config.get("beams", 1)
    return "" if beams == 1 else f", every caption the best of {beams} beams"


def _several(arms: Sequence[str], among: Sequence[str]) -> str:
    count = len({*arms} & {*among})
    return "none" if not count else str(count)


def _earlier(origin: Mapping[str, Any]) -> str:
    """Which arms are of an earlier run, beside which the others were set."""
    parts = [
        f" Arms of {listed(one['methods'])} are of an earlier run, at commit {one['git_commit'][:7]}." for one in origin.get("beside", [])
    ]
    return "".join(parts)


def _command(config: Mapping[str, Any]) -> str:
    """What gives these results again: every option that decides a number and is not at its default."""
    from analysis.methods.__main__ import MethodsConfig
    from analysis.question.destination import UNNUMBERED
    from probes.command.strict_json import as_plain

    default = {field.name: as_plain(field.default) for field in fields(MethodsConfig) if field.name not in UNNUMBERED}
    words = ["python -m analysis.methods"]
    for name, value in default.items():
        if config.get(name, value) != value:
            given = config[name] if isinstance(config[name], list) else [config[name]]
            words.append(f"--{name.replace('_', '-')} {' '.join(f'{one:g}' if isinstance(one, float) else str(one) for one in given)}")
    return " ".join(words)
