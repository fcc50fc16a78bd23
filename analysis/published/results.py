"""All families -> the results file: rows with corrections over families, verdicts, lines, and the published rows beside them.

Corrected by Holm over all logs that have a baseline: what the verdict asks as one question together (`TOGETHER`), every other measure by
itself. Primary, named in advance: CHAIR_s and CHAIR_i.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from analysis.omission.distance import EVERY
from analysis.omission.rules import LINES
from analysis.published.claim import claims
from analysis.published.counts import Spoken
from analysis.published.family import Family, family
from analysis.published.logs import Log, baselines
from analysis.published.verdict import PARTS, verdict
from analysis.question.question import by_name
from analysis.stats.multiplicity import adjust, family_size
from analysis.stats.rows import Row
from probes.command.files import write_bytes
from probes.command.strict_json import json_text

TOGETHER = (("chair_s", "chair_i"), ("repeated_4grams", "looping"), (f"{EVERY}/chair_s", f"{EVERY}/precision"))
"""Measures of which the verdict asks whether one or the other has changed."""
PRIMARY = ("chair_s", "chair_i")
CODE = (
    *("published/counts.py", "published/family.py", "published/first_absent.py", "published/measures.py", "omission/*.py"),
    *("stats/bootstrap.py", "stats/exchange.py", "stats/paired.py", "stats/pseudo_values.py"),
    *("stats/lifetable.py", "stats/regression.py", "stats/survival.py"),
)
"""Files whose text decides what is found of a family."""


def found_of(
    logs: Sequence[Log], spoken: Mapping[str, Spoken], objects: int, *, level: float, seed: int, store: Path | None = None
) -> dict[str, Family]:
    """What is found of each family; taken from the store where it was found before."""
    base, found = baselines(logs), {}
    for name in dict.fromkeys(log.family for log in logs):
        held = {log.name: spoken[log.name] for log in logs if log.family == name}
        own = base[name].name if name in base else None
        path = None if store is None else store / f"{_key(held, own, objects, level, seed)}.json"
        known = None if path is None else _kept(path)
        if known is None:
            known = family(name, held, own, objects, level=level, seed=seed)
            if path is not None:
                write_bytes(path, as_text(known).encode())
        found[name] = known
    return found


def results(logs: Sequence[Log], found: Mapping[str, Family], further: Sequence[Row] = ()) -> tuple[list[Row], dict[str, list]]:
    """The rows of all families, and further ones, with their corrections, and the lists that stand beside them in the file."""
    rows = corrected([*(row for one in found.values() for row in one.rows), *further])
    read = by_name(json.loads(json_text([vars(row) for row in rows])))
    base, verdicts = baselines(logs), []
    for log in logs:
        own = base.get(log.family)
        if own is None or own.name == log.name or f"{log.name} - {own.name}/chair_s" not in read:
            continue
        said = verdict(read, log.name, own.name)
        verdicts.append({"log": log.name, "baseline": own.name, "verdict": said.kind, "parts": list(said.parts), "shares": said.shares})
    lines = [line for one in found.values() for line in one.lines]
    starts = [one.baseline for one in found.values() if one.baseline]
    model_of = {log.name: log.model for log in logs}
    listed: dict[str, list] = {"logs": [log.as_dict() for log in logs], "verdicts": verdicts, "lines": lines, "baselines": starts}
    return rows, listed | {"claims": claims(lines, starts, model_of)}


def corrected(rows: Sequence[Row]) -> list[Row]:
    """The rows, p corrected over logs by Holm; distances to single lines keep their correction over lines and are one log's own."""
    done = list(rows)
    group_of = {name: "/".join(names) for names in TOGETHER for name in names}
    groups: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        name = _asked(row)
        if name is not None and math.isfinite(row.p):
            groups.setdefault(group_of.get(name, name), []).append(i)
    for name, members in groups.items():
        p = np.array([rows[i].p for i in members])
        told = f"Holm over {family_size(p)} tests of {name.replace('/', ' and ') if name in group_of.values() else name}"
        for i, value in zip(members, adjust(p), strict=True):
            role = "primary" if rows[i].where.get("measure") in PRIMARY and EVERY not in rows[i].name else "exploratory"
            done[i] = replace(rows[i], p_adjusted=float(value), adjustment=told, role=role)
    return done


def _asked(row: Row) -> str | None:
    """The measure of a change, or of a distance to every line; None of all others."""
    if not row.test or "dropped" in row.where:
        return None
    return f"{EVERY}/{row.where['measure']}" if row.where.get("rule") == EVERY.removeprefix("beyond ") else row.where["measure"]


def as_text(found: Family) -> str:
    """A family as JSON."""
    return json_text({"rows": [vars(row) for row in found.rows], "lines": found.lines, "baseline": found.baseline})


def from_text(text: str) -> Family:
    """The family that `as_text` has written.

    Raises
    ------
    ValueError, KeyError, TypeError : the text is something else
    """
    held = json.loads(text)
    return Family(read_rows(held["rows"]), list(held["lines"]), dict(held["baseline"]))


def read_rows(told: Sequence[Mapping[str, Any]]) -> list[Row]:
    """Rows as a file has them."""

    def number(value: float | None) -> float:
        return math.nan if value is None else float(value)

    plain = [dict(row) | {name: number(row[name]) for name in ("estimate", "p", "p_adjusted")} for row in told]
    return [Row(**row | {"interval": tuple(map(number, row["interval"]))}) for row in plain]


def _key(held: Mapping[str, Spoken], baseline: str | None, objects: int, level: float, seed: int) -> str:
    made = hashlib.sha256(json.dumps([list(held), baseline, objects, level, seed, LINES, PARTS]).encode())
    for one in held.values():
        for values in (one.images, one.counts, one.places):
            made.update(np.ascontiguousarray(values).tobytes())
    for files in CODE:
        for path in sorted(Path(__file__).parents[1].glob(files)):
            made.update(path.read_bytes())
    return f"family-{made.hexdigest()[:16]}"


def _kept(path: Path) -> Family | None:
    try:
        return from_text(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, KeyError, TypeError):
        return None
