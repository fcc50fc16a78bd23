"""The tables of the page: what each log comes to, how far it lies from omission, where hallucinations stand, where the logs are."""

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.published.logs import BASELINE
from analysis.published.names import full_names, names, of_model
from analysis.published.verdict import BETTER, NOT_LOWERING, PARTS, Verdict
from analysis.telling.wording import Rows, bracketed, chance, direction, listed, p_value

Found = Mapping[str, Any]
BEYOND = ("chair_s", "precision")
CHAIR = ("chair_s", "chair_i", "recall", "precision", "f1")
WRITTEN = {
    "looping": "captions that loop",
    "repeated_4grams": "repeated 4-grams",
    "echoes": "objects named again at once",
    "unfinished": "captions that stop in mid-sentence",
}
"""Measures of the text that the page tells, and what they count."""


def methods(rows: Rows, found: Found) -> str:
    """A line a log: its measures, and the verdict."""
    called, said = names(found["logs"]), {one["log"]: one for one in found["verdicts"]}
    lines = ruled(("model", "log", "CHAIR_s", "CHAIR_i", "recall", "precision", "F1", "words", "repeated 4-grams", "looping", "verdict"))
    for model, logs in of_model(found["logs"]).items():
        for log in logs:
            value = {name: rows[f"{log['name']}/{name}"]["estimate"] for name in (*CHAIR, "length", "repeated_4grams", "looping")}
            shares = [percent(value[name]) for name in CHAIR] + [f"{value['length']:.0f}"]
            shares += [percent(value[name]) for name in ("repeated_4grams", "looping")]
            alone = "" if log["method"] == BASELINE else "no greedy log of its own"
            lines.append(line((model, called[log["name"]], *shares, verdict_of(said[log["name"]]) if log["name"] in said else alone)))
    return "\n".join([*lines, "", "All but words in percent."])


def apart(rows: Rows, found: Found) -> str:
    """A line a compared log: the change, what of it omission gives, what lies beyond, and what is kept and added."""
    called = full_names(found["logs"])
    head: tuple[str, ...] = (
        "log",
        "CHAIR_s, change",
        "recall, change",
        "mentions that random dropping keeps at this recall",
        "CHAIR_s beyond every line",
    )
    head += ("precision beyond every line", "true objects kept", "absent objects kept", "new true ones a caption", "new absent ones")
    head += ("CHAIR_i at matched mentions, change", "CHAIR_s at matched words, change")
    lines = ruled(head)
    for one in found["verdicts"]:
        log, pair = one["log"], f"{one['log']} - {one['baseline']}"
        cells = [_points(rows[f"{pair}/{name}"]) for name in ("chair_s", "recall")]
        cells.append(percent(rows[f"{log}/beyond random mention/share"]["estimate"]))
        for measure in BEYOND:
            row = rows[f"{log}/beyond every line/{measure}"]
            cells.append(f"{_points(row)}, {chance(row['p_adjusted'])}")
        cells += [percent(rows[f"{pair}/{name}"]["estimate"]) for name in ("kept_true", "kept_absent")]
        cells += [f"{rows[f'{pair}/{name}']['estimate']:.2f}" for name in ("added_true", "added_absent")]
        cells += [_points(rows[f"{pair}/{name}"]) for name in ("matched_mentions", "matched_length")]
        lines.append(line((called[log], *cells)))
    note = (
        "In points and percent. Beyond is below a line in CHAIR_s, above it in precision; p is corrected, and 1 where a line is not passed."
    )
    undecided = [one["log"] for one in found["verdicts"] if BETTER not in one["parts"]]
    near = [called[log] for log in undecided if any(_past(rows, log, measure) for measure in BEYOND)]
    more = f"By their uncorrected intervals alone, these lie beyond too: {listed(near)}." if near else ""
    return "\n".join([*lines, "", note, *([more] if more else [])])


def written(rows: Rows, found: Found) -> str:
    """Which logs loop, repeat, name things again, or stop in mid-sentence more than their baseline."""
    called, said = full_names(found["logs"]), []
    for name, what in WRITTEN.items():
        up = []
        for one in found["verdicts"]:
            row = rows[f"{one['log']} - {one['baseline']}/{name}"]
            if direction(row) > 0:
                before, after = (percent(rows[f"{log}/{name}"]["estimate"]) for log in (one["baseline"], one["log"]))
                up.append((row["estimate"], f"{called[one['log']]} ({before} to {after} %)"))
        said.append(f"* More {what}, by the corrected test: {listed([told for _, told in sorted(up, reverse=True)]) if up else 'none'}.")
    said += _fluent(rows, found, called)
    compared = {one["log"] for one in found["verdicts"]}
    for log in found["logs"]:
        if log["method"] != BASELINE and log["name"] not in compared:
            share = {name: percent(rows[f"{log['name']}/{name}"]["estimate"]) for name in WRITTEN}
            said.append(
                f"* {called[log['name']]}, without a greedy log of its own: {share['repeated_4grams']} % of its 4-grams are repeated, "
                f"{share['looping']} % of its captions loop, {share['unfinished']} % stop in mid-sentence."
            )
    return "\n".join(said)


def _fluent(rows: Rows, found: Found, called: Mapping[str, str]) -> list[str]:
    """Which captions a language model finds less or more probable than the baseline's; nothing where it has read none."""
    changed: dict[int, list[str]] = {1: [], -1: []}
    read = [one for one in found["verdicts"] if f"{one['log']} - {one['baseline']}/fluency" in rows]
    for one in read:
        way = direction(rows[f"{one['log']} - {one['baseline']}/fluency"])
        if way:
            before, after = (f"{rows[f'{log}/fluency']['estimate']:.2f}" for log in (one["baseline"], one["log"]))
            changed[way].append(f"{called[one['log']]} ({before} to {after})")
    if not read:
        return []
    most = max(rows[f"{one['log']}/fluency"]["n"] for one in read)
    told = [f"{how}: {listed(logs) if logs else 'none'}" for how, logs in (("higher", changed[1]), ("lower", changed[-1]))]
    return [
        f"* NLL under SmolLM2-135M-Instruct, which sees no image, in nat a token over {most} captions of each log, by the corrected test "
        f"{'; '.join(told)}. "
        "What repeats is easy to expect: a lower NLL beside more repetition is no fluency."
    ]


def places(rows: Rows, found: Found) -> str:
    """Of each greedy log, how often the first and a later object is absent, and CHAIR_i of the thirds of a caption."""
    called = full_names(found["logs"])
    said = ruled(("greedy log", "1st object absent", "3rd", "6th", "9th", "CHAIR_i, first third", "middle third", "last third"))
    for log in (one for one in found["logs"] if one["method"] == BASELINE):
        cells = []
        for place in (1, 3, 6, 9):
            row = rows[f"{log['name']}/object {place}"]
            cells.append(f"{_interval(row)} ({row['n']} captions)" if row["n"] >= 30 else f"too few ({row['n']})")
        cells += [_interval(rows[f"{log['name']}/hallucinated_{part}"]) for part in ("first", "middle", "last")]
        said.append(line((called[log["name"]], *cells)))
    return "\n".join([*said, "", "In percent."])


def first_absent(rows: Rows, found: Found) -> str:
    """When the first absent object comes, each log against its baseline, counted in objects that are named."""
    called = full_names(found["logs"])
    said = ruled(("log", "hazard at each new object, ratio", "corrected p", "objects before the first absent one, change", "corrected p"))
    for one in found["verdicts"]:
        ratio, objects = (rows[f"{one['log']} - {one['baseline']}/{name}"] for name in ("hazard_ratio", "objects_before"))
        cells = (bracketed(ratio), p_value(ratio["p_adjusted"], "none"), bracketed(objects), p_value(objects["p_adjusted"], "none"))
        said.append(line((called[one["log"]], *cells)))
    note = (
        "Each new object is a chance to err: a ratio below 1 says that a log errs less often at each, and not only that it names fewer. A "
        "caption's end takes it out of risk. Hazards: cloglog GEE, clustered by image; means up to the object that a tenth of the captions "
        "reaches."
    )
    return "\n".join([*said, "", note])


def sources(found: Found) -> str:
    """Where each log is."""
    head = ("log", "model", "method", "settings", "repository", "path", "licence")
    return "\n".join([*ruled(head), *(line([log[name] for name in ("name", *head[1:])]) for log in found["logs"])])


def verdict_of(one: Mapping[str, Any]) -> str:
    """The verdict in a few words; of a method that does not lower CHAIR, what it does beside."""
    parts = [part for part in PARTS if part in one["parts"]]
    if one["verdict"] in NOT_LOWERING and parts:
        return f"{one['verdict']} ({', '.join(parts)})"
    return Verdict(one["verdict"], tuple(parts), one["shares"]).words


def percent(share: float) -> str:
    """A share in percent, one digit behind the point."""
    return f"{100 * share:.1f}"


def line(cells: Sequence[str]) -> str:
    """A row of a table."""
    return f"| {' | '.join(cells)} |"


def ruled(head: Sequence[str]) -> list[str]:
    """The head of a table."""
    return [line(head), "|---" * len(head) + "|"]


def _past(rows: Rows, log: str, measure: str) -> bool:
    low, high = rows[f"{log}/beyond every line/{measure}"]["interval"]
    return low > 0 if measure == "precision" else high < 0


def _interval(row: Mapping[str, Any]) -> str:
    return f"{percent(row['estimate'])} [{percent(row['interval'][0])}, {percent(row['interval'][1])}]"


def _points(row: Mapping[str, Any]) -> str:
    return f"{100 * row['estimate']:+.1f} [{100 * row['interval'][0]:+.1f}, {100 * row['interval'][1]:+.1f}]".replace("-", "−")
