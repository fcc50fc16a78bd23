"""The table of a benchmark as papers print it: percent, intervals, paired differences; published numbers apart and labelled."""

from collections.abc import Iterable, Mapping
from typing import Any

from analysis.benchmark.grid import cell, change, grid, level
from analysis.benchmark.names import BASELINE
from analysis.benchmark.omission_told import omission_told
from analysis.benchmark.published import published
from analysis.language.metric import MEASURES
from analysis.metrics import METRICS
from analysis.telling.wording import p_value

Found = Mapping[str, Any]


def shown(found: Found) -> list[str]:
    """The measures of the table: all but those of parts, such as a POPE strategy."""
    return [one["name"] for one in found["measures"] if "/" not in one["name"]]


def heading(benchmark: str, measure: str) -> str:
    """A measure's name as its metric has it printed, with the direction that is better."""
    return {**MEASURES, **METRICS[benchmark].catalogue}[measure].heading


def markdown(found: Found) -> str:
    """The whole table."""
    about, config = found["about"], found["provenance"]["config"]
    coverage = f"{100 * config['level']:g} %"
    units = {one["name"]: one["unit"] for one in found["measures"]}
    names, rows = shown(found), {row["name"]: row for row in found["results"]}
    methods = [one for one in found["methods"] if one["scored"]]
    counted = f"{about['questions']:,} questions about {about['images']:,} images" if about["questions"] != about["images"] else ""
    counted = counted or f"{about['images']:,} images"
    head = f"# {about['benchmark']}: {about['subject']}, {counted}, mode {about['mode']}"
    parts = [head, f"Measured here; shares in percent, in brackets {coverage} intervals that resample images."]
    level_rows = [
        [cell(one["name"]), *(level(rows.get(f"{about['benchmark']}/{name}/{one['name']}"), units[name]) for name in names)]
        for one in methods
    ]
    parts.append(grid(["method", *(heading(about["benchmark"], name) for name in names)], level_rows))
    parts += fluency_told(found)
    others = [one for one in methods if one["name"] != BASELINE]
    if others and any(one["name"] == BASELINE for one in methods):
        parts += _differences(found, rows, units, names, [one["name"] for one in others])
        parts += omission_told(rows, [one["name"] for one in others])
    parts.append(grid(["method", "answers", "tokens", "at the limit", "s an answer", "mean rate"], [_made(one) for one in methods]))
    parts += _published(about["benchmark"])
    return "\n\n".join([*parts, *_told(found)]) + "\n"


def fluency_told(found: Found) -> list[str]:
    """What NLL and broken are, and what the rule for broken captions is worth; nothing where no language model read captions."""
    read = found["about"].get("fluency")
    if not read:
        return []
    return [
        f"NLL (nat a token) and broken: of the first {read['captions']:,} captions of each method, at most {read['longest']} tokens of "
        f"each, to {read['model']}, a language model that never saw the images. Broken: it loops, or its NLL lies above "
        f"{read['limit']:.2f}, that of 99 in 100 captions of {BASELINE}. The rule calls {100 * read['broken_as_they_stand']:.1f} % of "
        f"these broken as they stand, and {100 * read['broken_with_words_shuffled']:.1f} % with their words shuffled."
    ]


def _differences(found: Found, rows: Found, units: Found, names: Iterable[str], others: Iterable[str]) -> list[str]:
    benchmark = found["about"]["benchmark"]
    primary = {one["name"] for one in found["measures"] if one["primary"]}
    table = []
    for other in others:
        for name in names:
            row = rows.get(f"{benchmark}/{name}/{other} - {BASELINE}")
            if row is not None:
                told = [change(row, units[name]), p_value(row["p"], ""), p_value(row["p_adjusted"], "")]
                table.append([cell(other), heading(benchmark, name) + (" *" if name in primary else ""), str(row["n"]), *told])
    head = f"Paired with {BASELINE} on the questions that both answered: difference (percentage points for shares); p of exchanging the"
    head += " methods within images, corrected by Holm over methods × primary measures (*), and apart over methods × all others"
    head += ", those of fluency apart again." if found["about"].get("fluency") else "."
    return [head, grid(["method", "measure", "images", "difference", "p", "p corrected"], table)]


def _published(benchmark: str) -> list[str]:
    found = published(benchmark)
    if not found:
        return []
    names = list(dict.fromkeys(one.measure for one in found))
    values = {(one.subject, one.method, one.measure): one.value for one in found}
    rows = [
        [subject, method, *(f"{100 * values[subject, method, name]:.1f}" if (subject, method, name) in values else "" for name in names)]
        for subject, method in dict.fromkeys((one.subject, one.method) for one in found)
    ]
    head = f"Published, not measured here ({found[0].source}; COCO images of that paper's choice, percent, no intervals given):"
    return [head, grid(["subject", "method", *(heading(benchmark, name) for name in names)], rows)]


def _told(found: Found) -> list[str]:
    notes = [f"Note: {note.removesuffix('.')}." for note in found["about"]["notes"]]
    aside = found["set_aside"]
    if aside:
        first = aside[0]
        told = f"{first['method'] or 'all methods'} {first['key']}, {first['error']}"
        notes.append(f"Set aside with an error: {len(aside)}; the first: {told}")
    missing = [f"{one['name']} {one['missing']}" for one in found["methods"] if one["missing"]]
    if missing:
        notes.append(f"Not asked yet: {', '.join(missing)}.")
    undefined = sorted({f"{row['name']}: {row['reason']}" for row in found["results"] if row["reason"] and row["estimate"] is None})
    return notes + ([f"Undefined: {'; '.join(undefined[:6])}{'; ...' if len(undefined) > 6 else ''}."] if undefined else [])


def _made(one: Found) -> list[str]:
    rate = "" if one["rate"] is None else f"{one['rate']:.2f}"
    return [
        cell(one["name"]),
        f"{one['answers']:,}",
        f"{one['tokens']:.1f}",
        f"{100 * one['at_limit']:.1f} %",
        f"{one['seconds']:.2f}",
        rate,
    ]
