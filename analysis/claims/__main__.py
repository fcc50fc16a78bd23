"""`python -m analysis.claims`: what each claim of the paper comes to on each bundled subject, as a table of docs/findings.md, and a forest.

Reads the results files of the questions alone; nothing is run anew. A question that a subject has not been asked is a dash.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from analysis.claims.claims import HALF, NOT_TESTABLE, PARTS, PaperClaim
from analysis.claims.forest import effects, forest, origin
from analysis.drift.findings import captions
from analysis.question.question import read_results, stored_rows
from analysis.sinks.names import without_sinks
from analysis.telling.pages import PAGE, tell
from analysis.telling.wording import LEVEL, bracketed, p_value
from probes.command.cli import BadInput, run_cli
from probes.command.terminal import say
from probes.subjects.bundled import BUNDLED

Rows = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class ClaimsConfig:
    """Every claim of the paper beside what each bundled subject shows, from the results files that are there."""

    EXAMPLES: ClassVar[tuple[str, ...]] = ("", "--figures out/mine --page mine.md")
    figures: Path = Path("figures")
    """folder with a folder for each subject, and in it one for each question; the forest of effects is drawn there"""
    page: Path = PAGE
    """the page that gets the table, between its marks <!-- claims --> and <!-- /claims -->"""
    debug: bool = False
    """show traces of errors"""


def main(config: ClaimsConfig) -> None:
    """Read, compare, write."""
    found = {name: rows for name in BUNDLED if (rows := results(config.figures / name, name))}
    if not found:
        raise BadInput(f"--figures {config.figures}: no results of a bundled subject there ({', '.join(BUNDLED)}); run a question first.")
    if config.page.resolve() == PAGE.resolve() and config.figures.resolve() != ClaimsConfig.figures.resolve():
        raise BadInput(f"--figures {config.figures}: {PAGE} tells of {ClaimsConfig.figures} alone; give a page of your own by --page.")
    text = markdown(found)
    if apart := effects(config.figures):
        from analysis.plots.style import house, save

        with house():
            drawn, note = forest(apart)
            save(drawn, config.figures / "forest", origin(apart), note)
    tell("claims", text, config.page)
    say(text)


def results(folder: Path, subject: str | None = None) -> dict[str, Rows]:
    """By question, the rows of its results file by name.

    Raises
    ------
    BadInput : a file is damaged, or of another subject than the named one
    """
    found: dict[str, Rows] = {}
    asked = [question for part in PARTS.values() for claim in part for question in (claim.question, claim.beyond[0]) if question]
    for question in dict.fromkeys(asked):
        path = folder / question / f"{question.removesuffix('_half')}.json"  # a ladder round another centre has a folder of its own
        rows = stored_rows(path, subject)
        if rows and question.endswith("_half") and read_results(path)["provenance"].get("base", {}).get("lambda_ref") != HALF:
            continue  # a ladder round yet another centre, of which no claim speaks
        if rows and question == "drift":
            _are_corrected(rows, path)
        if rows:
            found[question] = rows
    return found


def _are_corrected(rows: Rows, path: Path) -> None:
    try:
        captions(rows)
    except (KeyError, TypeError) as error:
        raise BadInput(f"{path}: is of an earlier version, or cut; run its question again.") from error


def markdown(found: Mapping[str, Mapping[str, Rows]]) -> str:
    """A table: a row a claim, by subject the verdict, the estimate with its interval, n and the corrected p."""
    lines = [f"| claim | {' | '.join(found)} |", "|---" * (len(found) + 1) + "|"]
    for heading, claims in PARTS.items():
        lines.append(f"| **{heading}** |{' |' * len(found)}")
        for claim in claims:
            lines.append(f"| {claim.said} | {' | '.join(cell(claim, rows) for rows in found.values())} |")
    note = (
        "Seen: the corrected test rejects at 5 %, on the side that the paper names; reversed: on the other; not seen: it does not reject; "
        "too small to count: it rejects, and the change is below 1 % of the value without smoothing; not testable here: the subject lacks "
        "what the claim speaks of. Rejected: what the paper takes to lie at no effect does not; a test cannot show that it does. Beside a "
        "constant rate of KVSmooth's mean, on the same images: KVSmooth minus it, by its own corrected test; where the two were not set "
        "against each other, in brackets that rate minus none. Estimates with the intervals "
        "over images of their results files, each of one outcome alone; n: "
        "images; p: corrected within its question; exploratory: the question did not name the outcome in advance. "
        "(`python -m analysis.claims`)"
    )
    return "\n".join([*lines, "", note])


def cell(claim: PaperClaim, rows: Mapping[str, Rows]) -> str:
    """What one subject shows of a claim; a dash where its question was not asked."""
    row = rows.get(claim.question, {}).get(claim.row)
    if row is None:
        return claim.lack if claim.question in rows else "–"
    if claim.needs_sinks and without_sinks(rows[claim.question]):
        return f"**{NOT_TESTABLE}**: no token of its prompt is a sink"
    role = "" if row["role"] == "primary" else ", exploratory"
    # its interval is of this outcome alone: where that test rejects and the corrected one does not, both are told
    alone = row["p_adjusted"] >= LEVEL > row["p"]
    uncorrected = f" ({p_value(row['p'])} uncorrected)" if alone else ""
    verdict = f"**{claim.verdict(row)}**{claim.beside(row, rows)}"
    return f"{verdict}: {bracketed(row)}, n {row['n']}, p {p_value(row['p_adjusted'], 'none')}{uncorrected}{role}"


if __name__ == "__main__":
    run_cli(ClaimsConfig, main)
