"""What published.json says, in words: verdicts first, then the numbers behind them, then the published rows and where the logs are."""

from collections.abc import Mapping
from typing import Any

from analysis.published.claimed import claimed
from analysis.published.logs import BASELINE
from analysis.published.names import full_names
from analysis.published.tables import apart, first_absent, methods, percent, places, sources, verdict_of, written
from analysis.published.verdict import BETTER, LESS, MATERIAL, MIXTURE, NOT_LOWER, NOT_LOWERING, RAISES, REPEATS, UNTOLD
from analysis.telling.wording import Rows, aligned, page

Found = Mapping[str, Any]
SAID = {
    BETTER: "by seeing better alone",
    LESS: "by saying less alone",
    REPEATS: "by repeating alone",
    MIXTURE: "by a mixture",
    UNTOLD: "by what is not told apart",
    NOT_LOWER: "do not lower it for certain",
    RAISES: "raise it",
}


def paragraph(rows: Rows, found: Found) -> str:
    """The question's part of the page; every number is read from the results."""
    told = found["provenance"]
    asked = (
        f"Asked of {told['n']:,} captions in {len(found['logs'])} logs: does a method lower CHAIR by seeing better, by saying less, or by "
        f"repeating itself? Each log is compared with the {BASELINE} log of the same model and repository, on the same images."
    )
    read = "exactly, as the reference program reads them" if told["words"] == "exact" else "bundled, close to the reference program"
    note = (
        f"`python -m analysis.published`. Brackets: {100 * told['config']['level']:.4g} % cluster BCa interval over images. Tests: "
        f"exchange of the "
        "two logs within images; of distances, sign flips of pseudo-values. Corrected by Holm over all logs with a baseline. Words are "
        "read "
        f"{read}. Figures: `figures/published/`."
    )
    return page(
        verdict_sentence(found),
        asked,
        rule(),
        "### What each method does\n" + methods(rows, found),
        "### How far from omission\n" + apart(rows, found),
        "### How it is written\n" + written(rows, found),
        "### Where hallucinations stand\n" + places(rows, found),
        "### When the first absent object comes\n" + first_absent(rows, found),
        "### The published rows beside omission\n" + claimed(found) if found["claims"] else "",
        "### The logs\n" + sources(found),
        note,
    )


def verdict_sentence(found: Found) -> str:
    """How many methods do what, and which."""
    if not found["verdicts"]:
        return f"No log has a {BASELINE} log beside it, so that nothing is compared."
    called = full_names(found["logs"])
    kinds: dict[str, list[str]] = {kind: [] for kind in SAID}
    for one in found["verdicts"]:
        parts = f": {' and '.join(one['parts'])}" if one["verdict"] == MIXTURE else ""
        kinds[one["verdict"]].append(f"{called[one['log']]}{parts}")
    lower = len(found["verdicts"]) - sum(len(kinds[kind]) for kind in NOT_LOWERING)
    clauses = [f"{len(logs)} {SAID[kind]} ({'; '.join(logs)})" for kind, logs in kinds.items() if logs]
    return f"{lower} of {len(found['verdicts'])} logs lower CHAIR against their own {BASELINE} captions: {', '.join(clauses)}."


def rule() -> str:
    """The rule of the verdict."""
    return (
        "The rule was written before any distance or position was computed (`analysis/published/verdict.py`); the scores of the logs, a "
        "few captions and a first count of repeated 4-grams in some logs were known. A method lowers CHAIR if CHAIR_s or CHAIR_i falls by "
        "its corrected test and the other does not rise; it raises CHAIR if one rises so and the other does not fall. It *sees better* if, "
        "at its own recall, it lies beyond every way of dropping mentions or sentences of the greedy captions that does not know the "
        "single mention (at random, late first, background first, the worst positions first); it *says less* if its recall falls; it "
        f"*repeats* if repeated 4-grams or looping captions rise, by {100 * MATERIAL:g} points or more. Several of these are a mixture; "
        "the shares are those of the fall of CHAIR_i. To see better in this sense is to name less of what is absent than saying less would "
        "explain; a method that knows where to stop does it too."
    )


def summary(rows: Rows, found: Found) -> str:
    """What a person reads at the end of a run."""
    called, said = full_names(found["logs"]), {one["log"]: one for one in found["verdicts"]}
    table = [["", "CHAIR_s", "CHAIR_i", "recall", "F1", "rep. 4-grams", "verdict"]]
    for log in found["logs"]:
        shares = [percent(rows[f"{log['name']}/{name}"]["estimate"]) for name in ("chair_s", "chair_i", "recall", "f1", "repeated_4grams")]
        table.append([called[log["name"]], *shares, verdict_of(said[log["name"]]) if log["name"] in said else ""])
    return "\n".join([verdict_sentence(found), *aligned(table)])
