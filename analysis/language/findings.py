"""What language.json says, in words."""

import math
from collections.abc import Mapping
from typing import Any

from analysis.cells.names import BASELINE, MIX_WORDS, PAPER
from analysis.telling.wording import NO_P, Rows, direction, listed, p_value, page


def verdict(rows: Rows, lambda_ref: float) -> str:
    """What the published dose multiplies perplexity by, and whether guidance by entropy spares the text at equal mean rate."""
    whole = rows[f"{PAPER} - {BASELINE}/nll"]
    said = [f"at lambda_ref {lambda_ref:g} smoothing multiplies the perplexity of given texts by {times(whole)}"]
    controls = _controls(rows)
    better, worse = ([c for c in controls if direction(rows[f"{PAPER} - {c}/nll"]) == way] for way in (-1, 1))
    if better:
        said.append(f"guidance by entropy costs less than the same mean rate given by {listed(list(map(told, better)))}")
    if worse:
        said.append(f"it costs more than that given by {listed(list(map(told, worse)))}")
    if not better and not worse:
        said.append("guidance by entropy spares no more of the text than any other rate of the same mean does for certain")
    text = "; ".join(said)
    return f"{text[0].upper()}{text[1:]}."


def times(row: Mapping[str, Any]) -> str:
    """A change of NLL as a multiple of perplexity, with its interval where there is one."""
    low, high = (math.exp(limit) for limit in row["interval"])
    limits = f" [{low:.2f}, {high:.2f}]" if math.isfinite(low + high) else ""
    return f"{math.exp(row['estimate']):.2f}{limits}"


def told(arm: str) -> str:
    """An arm as a reader calls it."""
    known = {
        PAPER: "KVSmooth",
        "mean": "its own mean alone",
        "permuted": "the same rates in another order",
        "shifted": "the same rates turned round the text",
        "position": "the mean rate of each step",
        "inverse": "the opposite guidance",
        "token_class": "the kind of token alone",
        **MIX_WORDS,
    }
    return known.get(arm, arm if arm.startswith("lambda_ref") else arm.replace("_", " "))


def paragraph(rows: Rows, found: Mapping[str, Any]) -> str:
    """The question's part of the page; every number is read from the results."""
    origin = found["provenance"]
    n, units, prefix = origin["n"], rows[f"{PAPER} - {BASELINE}/nll"]["n"], origin["config"]["prefix"]
    of_images, unit = (f" of {units} images", "images") if units < n else ("", "texts")
    asked = (
        f"Asked: how much smoothing does `{origin['model_id']}` bear, without any image? {n} texts{of_images} are fed to it token by "
        f"token; each token behind the first {prefix + 1} is predicted by a smoothed step. Without smoothing a token costs "
        f"{rows[f'{BASELINE}/nll']['estimate']:.3f} nat. Perplexity as a multiple of that without smoothing:"
    )
    lines = ["| arm | mean rate | perplexity × | change, nat a token | corrected p |", "|---|---|---|---|---|"]
    for row in rows.values():
        where = row["where"]
        if where.get("control") == BASELINE and "part" not in where:
            arm = where["treated"]
            p = p_value(row["p_adjusted"], NO_P)
            lines.append(f"| {told(arm)} | {rows[f'{arm}/rate']['estimate']:.2f} | {times(row)} | {row['estimate']:+.3f} | {p} |")
    parts = ["| where | " + " | ".join(told(arm) for arm in (PAPER, "mean")) + " |", "|---|---|---|"]
    for name, row in rows.items():
        if row["where"].get("part") and row["where"]["treated"] == PAPER and row["n"]:
            other = rows.get(name.replace(PAPER, "mean", 1))
            kind, value = row["where"]["part"].split("/")
            what = f"tokens since a sentence end: {value}" if kind == "distance" else f"kind of token: {value}"
            parts.append(f"| {what} | {times(row)} | {times(other) if other else ''} |")
    note = (
        f"`python -m analysis.language`. Brackets: {100 * origin['config']['level']:.4g} % cluster BCa intervals over {unit}; p: sign flip "
        f"over {unit}, max-T over the arms of a family."
    )
    return page(verdict(rows, origin["config"]["lambda_ref"]), asked, "\n".join(lines), "\n".join(parts), note)


def summary(rows: Rows, found: Mapping[str, Any]) -> str:
    """What a person reads at the end of a run."""
    lines = [verdict(rows, found["provenance"]["config"]["lambda_ref"])]
    for row in rows.values():
        if row["where"].get("control") == BASELINE and "part" not in row["where"]:
            lines.append(f"{row['where']['treated']:18} perplexity x {times(row)}")
    return "\n".join(lines)


def _controls(rows: Rows) -> list[str]:
    return [
        row["where"]["control"] for row in rows.values() if row["where"].get("treated") == PAPER and row["where"]["control"] != BASELINE
    ]
