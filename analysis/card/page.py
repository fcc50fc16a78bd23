"""The tables of a bundled subject's card, and where in the page they stand."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from probes.command.cli import BadInput

START, END = "<!-- card:begin -->", "<!-- card:end -->"
ROWS = {
    "chair_s": "CHAIR_s",
    "chair_i": "CHAIR_i",
    "recall": "recall",
    "precision": "precision",
    "f1": "F1",
    "length": "words a caption",
    "mentions": "mentions a caption",
    "hallucinated_first_third": "hallucinated, first third",
    "hallucinated_middle_third": "hallucinated, middle third",
    "hallucinated_last_third": "hallucinated, last third",
    "late_minus_early": "last minus first third",
    "repeated_sentences": "repeated sentences",
    "repeated_4grams": "repeated 4-grams",
}
COLUMNS = ("chair_s", "chair_i", "recall", "precision", "f1", "length", "mentions", "repeated_sentences", "repeated_4grams")
GROUPS = {"bos": "first token", "system": "system", "image": "image", "prompt": "prompt", "text": "caption so far"}
COMPARING = ("any", "side", "height", "larger")
"""Kinds of what is said that can compare an object with itself."""
Row = Mapping[str, Any]


def filled(page: str, tables: str) -> str:
    """The page with new tables between its markers; a page that has none gets them at its end.

    Raises
    ------
    BadInput : one of the markers is there without the other, or twice, or they stand in the other order
    """
    if START in page or END in page:
        places = [(page.count(mark), page.find(mark)) for mark in (START, END)]
        if [count for count, _ in places] != [1, 1] or places[0][1] > places[1][1]:
            raise BadInput(f"the card's page needs {START} and, behind it, {END}, each once; mend the page by hand.")
    before, _, rest = (page if START in page else f"{page}{START}\n{END}\n").partition(START)
    _, _, after = rest.partition(END)
    return f"{before}{START}\n{tables}\n{END}{after or chr(10)}"


def markdown(card: Mapping[str, Any], claims: Mapping[str, str]) -> str:
    """The card's tables: the baseline with intervals, the other conditions beside it, claims, the prior, where attention goes, sinks.

    Parameters
    ----------
    card : as its json
    claims : by kind of claim, its words
    """
    rows = {row["name"]: row for row in card["results"]}
    parts = [_baseline(rows, card["bars"])]
    parts += [_conditions(title, names, rows) for title, names in card["conditions"].items() if names]
    parts += [_claims(rows, claims), _prior(card["prior"]), _attention(card["sinks"]), _sinks(card["sinks"])]
    return "\n\n".join("\n".join(part) for part in parts)


def _baseline(rows: Mapping[str, Row], bars: Mapping[str, Any]) -> list[str]:
    lines = ["| greedy, no smoothing | estimate | 95 % interval | bar |", "|---|---|---|---|"]
    for key, label in ROWS.items():
        row = rows[f"baseline: {key}"]
        lines.append(f"| {label} | {_number(row['estimate'])} | {_range(row)} | {_bar(bars.get(key))} |")
    return lines


def _conditions(title: str, names: Sequence[str], rows: Mapping[str, Row]) -> list[str]:
    heading = f"| {title} | {' | '.join(ROWS[c] for c in COLUMNS)} | overlap with the baseline's objects |"
    lines = [heading, "|---" * (len(COLUMNS) + 2) + "|"]
    for name in ["baseline", *names]:
        cells = [f"{_number(rows[f'{name}: {c}']['estimate'])} {_range(rows[f'{name}: {c}'])}".strip() for c in COLUMNS]
        overlap = rows.get(f"{name}: overlap_with_baseline", {"estimate": 1.0})
        lines.append(f"| {name} | {' | '.join(cells)} | {_number(overlap['estimate'])} |")
    return lines


def _claims(rows: Mapping[str, Row], claims: Mapping[str, str]) -> list[str]:
    lines = ["| what is said of named objects | claims a caption | true | of an object and itself |", "|---|---|---|---|"]
    for kind, label in claims.items():
        found = [rows[f"baseline: {kind}_{what}"]["estimate"] for what in ("claims", "true", "itself")]
        if kind not in COMPARING:
            found[-1] = None
        lines.append(f"| {label} | {' | '.join(_number(value) for value in found)} |")
    if (written := rows.get("baseline: written")) is not None:
        lines += ["", f"Share of sentences in a form of the training captions' grammar, whatever fills it: {_number(written['estimate'])}."]
    return lines


def _prior(prior: Mapping[str, Any]) -> list[str]:
    if not prior["scenes"]:
        return ["No caption names an object."]
    said = prior["logprob"]
    lines = [
        "| the same caption behind | log-probability (first tokens) of objects named and present, nat "
        "| named and absent | probability of naming: present "
        "| typical absent | other absent |",
        "|---" * 6 + "|",
    ]
    for image, mass in prior["mass"].items():
        cells = [_cell(said[kind][image]) for kind in ("present", "hallucinated")] + [_cell(row) for row in mass.values()]
        lines.append(f"| {image} | {' | '.join(cells)} |")
    for name in ("own less none", "own less another"):
        lines.append(f"| {name} | {' | '.join(_cell(said[kind][name]) for kind in ('present', 'hallucinated'))} | | | |")
    typical, n = prior["typical"], prior["mentions"]
    return [
        *lines,
        "",
        f"First mentions in {prior['scenes']} captions: {n['present']} of present, {n['hallucinated']} of absent objects. Typical of their "
        f"kind of scene: {_cell(typical['hallucinated objects'])} of the hallucinated, {_cell(typical['absent objects'])} of all absent.",
    ]


def _attention(sinks: Mapping[str, Any]) -> list[str]:
    found = {name: values for name, values in sinks["mass_by_layer"].items() if any(values)}
    lines = [
        f"| attention of the caption's tokens, layer | {' | '.join(GROUPS[name] for name in found)} |",
        "|---" * (len(found) + 1) + "|",
    ]
    for layer, shares in enumerate(zip(*found.values(), strict=True)):
        lines.append(f"| {layer} | {' | '.join(_number(share) for share in shares)} |")
    means = [sum(values) / len(values) for values in found.values()]
    return [*lines, f"| mean | {' | '.join(map(_number, means))} |"]


def _sinks(sinks: Mapping[str, Any]) -> list[str]:
    lines = ["| layer | first token | largest in the caption | largest activation | over the median |", "|---|---|---|---|---|"]
    names = ("first_token_by_layer", "largest_in_caption_by_layer", "largest_activation_by_layer", "largest_over_median_by_layer")
    for layer, row in enumerate(zip(*(sinks[name] for name in names), strict=True)):
        lines.append(f"| {layer} | {' | '.join(_number(value) for value in row)} |")
    top = "; ".join(
        f"layer {s['layer']} head {s['head']} {s['piece']} at {s['position']}: {s['attention']:.3f}" for s in sinks["largest_in_prompt"]
    )
    lines += ["", f"Largest mean received attention in the prompt: {top}."]
    above = [f"layer {layer}: {share:.2f}" for layer, share in enumerate(sinks["caption_above_limit_by_layer"]) if share > 0]
    lines += [f"Prompt positions, layers and heads above {sinks['limit']}: {len(sinks['sinks'])}."]
    lines += [f"Share of captions of which some position in some head is above {sinks['limit']}: {'; '.join(above) or 'none'}."]
    layer = max(range(len(sinks["largest_in_caption_by_layer"])), key=sinks["largest_in_caption_by_layer"].__getitem__)
    often = ", ".join(f"`{piece}` {count}" for piece, count in sinks["largest_in_caption_pieces"][layer])
    lines += [f"The most attended caption position of layer {layer} is, in {sinks['scenes']} captions, oftenest: {often}."]
    places = "; ".join(
        f"`{s['piece']}` at {s['position']}, channel {s['channel']} ({s['share']:.2f})" for s in sinks["largest_activation_places"]
    )
    return [*lines, f"Where the largest activation of a layer lies, share of layers and captions: {places}."]


def _cell(row: Row) -> str:
    return f"{_number(row['estimate'])} {_range(row)}".strip()


def _number(value: float | None) -> str:
    return "–" if value is None or math.isnan(value) else f"{value:.1f}" if abs(value) >= 10 else f"{value:.3f}"


def _range(row: Row) -> str:
    return "" if row["interval"] is None else f"[{_number(row['interval'][0])}, {_number(row['interval'][1])}]"


def _bar(bar: Mapping[str, Any] | None) -> str:
    if bar is None:
        return ""
    low, high = bar["range"]
    return f"{f'at least {low:g}' if high is None else f'{low:g} to {high:g}'}: {'met' if bar['met'] else 'missed'}"
