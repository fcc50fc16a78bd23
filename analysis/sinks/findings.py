"""Writes the verdict on Observation 2 and the paragraphs of docs/findings.md from sinks.json."""

from collections.abc import Mapping
from typing import Any

import xarray as xr

from analysis.sinks.anatomy.findings import paragraphs
from analysis.sinks.names import OBSERVATION, WITHOUT_FIRST, without_sinks
from analysis.sinks.observation import VARIANTS
from analysis.sinks.style import label, leads, ranked
from analysis.telling.wording import Rows, bracketed, direction, number, page, signed

SCORE, RECEIVED = "row_entropy", "column_sum"
_GETS = {
    -1: "A token whose own attention is diffuse receives less attention afterwards than others",
    0: "Whether a token's own attention is diffuse does not tell how much attention it receives afterwards",
    1: "A token whose own attention is diffuse receives more attention afterwards than others",
}
_COSINE = {-1: "lies below what random order gives", 0: "is what random order gives", 1: "lies above what random order gives"}
_HOLDS = {0: "is not seen", 1: "is half seen", 2: "is seen"}


def verdict(rows: Rows, window: int) -> str:
    """One sentence: what row entropy predicts within an image, and what the paper's cosine and a rank correlation are worth.

    Observation 2 is seen where entropy both predicts the attention of later queries and goes with column sums, by corrected tests.
    """
    gets = direction(rows.get(f"prediction/within/{SCORE}/w{window}"), null=0.5)
    cosine, ranks = (_against_order(rows, OBSERVATION, relation) for relation in ("cosine", "spearman"))
    alone = f"{WITHOUT_FIRST}/{RECEIVED}/spearman/observed" in rows
    without = _against_order(rows, WITHOUT_FIRST, "spearman") if alone else ranks
    now = "is gone" if not without else "turns round" if ranks else f"is there, {'above' if without > 0 else 'below'} random order"
    first = f"; with the first token left out of the entropy their rank correlation {now}" if without != ranks else ""
    untestable = "is not testable here, as no token of the prompt is a sink"
    holds = untestable if without_sinks(rows) else f"{_HOLDS[(gets == 1) + (ranks == 1)]}{first}"
    return f"{_GETS[gets]}, and the paper's cosine of row entropies and column sums {_COSINE[cosine]}: the second observation {holds}."


def _against_order(rows: Rows, question: str, relation: str) -> int:
    name = f"{question}/{RECEIVED}/{relation}"
    order = rows.get(f"{name}/permuted")
    return 0 if order is None else direction(rows.get(f"{name}/observed"), null=order["estimate"])


def paragraph(data: xr.Dataset, rows: Rows, found: Mapping[str, Any]) -> str:
    """The question's part of the findings page; every number is read from the results."""
    window = int(data.attrs["main_window"])
    asked = (
        f"Asked of generated tokens: which of them are the tenth of an image and layer that gets most attention from the next {window} "
        f"queries, and does row entropy go with column sums of the attention map? {found['counted']['images']} captions, no smoothing; "
        "nothing was named in advance."
    )
    lines = ["| row entropy and column sum, mean over captions | " + " | ".join(VARIANTS) + " |", "|---" * (len(VARIANTS) + 1) + "|"]
    for relation in ("cosine", "spearman"):
        each = [rows[f"{OBSERVATION}/{RECEIVED}/{relation}/{variant}"] for variant in VARIANTS]
        lines.append(f"| {relation} | " + " | ".join(bracketed(row) for row in each) + " |")
    worlds = (
        "Permuted: entropies in random order. Shifted: turned round the caption. Uniform: attention that is exactly uniform, where there "
        "is no sink. Positive numbers have a high cosine whatever they are."
    )
    within, step, token = (rows[f"prediction/{kind}/{SCORE}/w{window}"] for kind in ("within", "stratified", "same token"))
    prediction = (
        f"*Prediction.* AUROC of row entropy for the attention received next: {number(within)} within images, {bracketed(step)} at the "
        f"same step of different images, {bracketed(token)} among occurrences of the same token."
    )
    others = _others(data, rows, window)
    note = (
        f"`python -m analysis.sinks`. Brackets: {100 * found['provenance']['config']['level']:.4g} % cluster BCa interval over images; p: "
        "sign flip over images, corrected by max-T over scores and windows. All detectors: [sinks.md](sinks.md). "
        "Figures: `figures/emoji/sinks/`."
    )
    return page(
        verdict(rows, window), asked, "\n".join(lines), worlds, _without_first(rows), prediction, others, *paragraphs(data, rows), note
    )


def _without_first(rows: Rows) -> str:
    """The same two relations without the first token in the entropy; nothing where the results are of before that was asked."""
    told = []
    for relation, words in (("cosine", "the cosine"), ("spearman", "Spearman's correlation")):
        observed, permuted = (rows.get(f"{WITHOUT_FIRST}/{RECEIVED}/{relation}/{variant}") for variant in ("observed", "permuted"))
        if observed is None or permuted is None:
            return ""
        told.append(f"{words} is {number(observed)}, in random order {signed(permuted['estimate'])}")
    return f"*Without the first token*, the usual sink, in the entropy (the rest of the row summing to one): {'; '.join(told)}."


def _others(data: xr.Dataset, rows: Rows, window: int) -> str:
    """The baselines and every other score that is known in time, by AUROC within images; what later queries alone know is left out."""
    known = leads(data)
    values = {name: rows[f"prediction/within/{name}/w{window}"]["estimate"] for name in ranked(data) if known.get(name) != "later"}
    order = sorted((name for name in values if name != SCORE), key=lambda name: -values[name])
    said = ", ".join(f"{label(name)} {signed(values[name])}" for name in order)
    return f"*Others*, within images, baselines and scores that are known in time: {said}." if said else ""
