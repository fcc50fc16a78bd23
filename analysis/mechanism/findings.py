"""What mechanism.json says, in words: which arms have the signature, and whether KVSmooth has more of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.cells.names import BASELINE, MIX_WORDS, PAPER
from analysis.mechanism.measures import MEASURES, SIGNATURE, MechanismMeasure
from analysis.telling.wording import Rows, bracketed, direction, listed, page

NAMES = {
    PAPER: "KVSmooth",
    "constant": "a constant rate",
    **MIX_WORDS,
    "image_bias": "a bias of the image (mean)",
    "image_bias_heads": "a bias of the image (each head)",
}
OBJECTS = {"present": "objects there", "hallucinated": "hallucinated objects"}
BIAS = "image_bias_heads"
"""The arm that has KVSmooth's attention on the image and nothing else of it."""


def has_signature(rows: Rows, arm: str) -> bool:
    """Whether both parts move as the paper says, by the corrected test, and by enough to count."""
    return all(counts(rows[f"{arm} - {BASELINE}/{name}"], MEASURES[name]) for name in SIGNATURE)


def counts(row: Mapping[str, Any], measure: MechanismMeasure) -> bool:
    """Whether a measure moves as the paper says, by the corrected test, and by enough to count."""
    return direction(row) == measure.sign and abs(row["estimate"]) >= measure.least * abs(row["effect"][BASELINE])


def measures_of(rows: Rows) -> list[str]:
    """The measures that were asked for."""
    return [name for name in MEASURES if f"{PAPER}/{name}" in rows]


def verdict(arms: Sequence[str], rows: Rows) -> str:
    """Whether the mechanism is KVSmooth's own."""
    controls = [arm for arm in arms if arm not in (BASELINE, PAPER)]
    with_it = [NAMES.get(arm, arm) for arm in controls if has_signature(rows, arm)]
    if not has_signature(rows, PAPER):
        told = f" Of the controls, {listed(with_it)} {'has' if len(with_it) == 1 else 'have'} it." if with_it else ""
        return (
            f"KVSmooth does not have the signature of the paper's mechanism: attention kept on the image and hidden states near it.{told}"
        )
    if not with_it:
        return "Only KVSmooth keeps attention on the image beyond dilution and hidden states nearer to it: no control does both."
    more = [
        NAMES.get(arm, arm)
        for arm in controls
        if has_signature(rows, arm) and all(direction(rows[f"{PAPER} - {arm}/{name}"]) == MEASURES[name].sign for name in SIGNATURE)
    ]
    told = f", and KVSmooth has more of both than {listed(more)}" if more else ", and KVSmooth has not more of both than any of these"
    who = f"{listed(with_it)} {'keeps' if len(with_it) == 1 else 'keep'}"
    return f"The mechanism's signature is not KVSmooth's own: {who} attention on the image and hidden states near it as well{told}."


def attention_alone(rows: Rows) -> list[str]:
    """Whether as much attention on the image, without smoothing, does to objects what KVSmooth does; nothing where that was not asked."""
    if f"{BIAS} - {BASELINE}/hallucinated" not in rows:
        return []
    told = []
    for name in ("present", "hallucinated"):
        rows_of = [rows[f"{pair}/{name}"] for pair in (f"{BIAS} - {BASELINE}", f"{PAPER} - {BASELINE}", f"{PAPER} - {BIAS}")]
        own, paper, between = map(_marked, rows_of)
        told.append(f"{OBJECTS[name]}: {own} by the bias, {paper} by KVSmooth, between both {between} (n = {rows_of[0]['n']})")
    return [
        "Attention alone: what a bias that gives each head KVSmooth's attention on the image does to the slope of the log-probability of "
        f"objects not yet said, in nat per 100 tokens. Of {told[0]}. Of {told[1]}."
    ]


def paragraph(arms: Sequence[str], rows: Rows, found: Mapping[str, Any]) -> str:
    """The question's part of the page; every number is read from the results."""
    origin = found["provenance"]
    biased = "A bias of attention scores gives the image as much attention as KVSmooth does, in the mean of all heads or in each. "
    biased = biased if BIAS in arms else ""
    asked = (
        "Asked: is what smoothing does to attention and hidden states KVSmooth's own, or any disturbance's of that size? The captions "
        f"without smoothing of {rows[f'{PAPER}/entropy']['n']} images are fed to every arm; means over smoothed layers. {biased}Each minus "
        "none:"
    )
    asked_of = measures_of(rows)
    lines = [f"| arm | {' | '.join(f'{MEASURES[name].label}, {MEASURES[name].unit}' for name in asked_of)} | signature |"]
    lines.append("|---" * (len(asked_of) + 2) + "|")
    for arm in arms:
        if arm != BASELINE:
            cells = [_marked(rows[f"{arm} - {BASELINE}/{name}"]) for name in asked_of]
            lines.append(f"| {NAMES.get(arm, arm)} | {' | '.join(cells)} | {'yes' if has_signature(rows, arm) else 'no'} |")
    note = (
        f"`python -m analysis.mechanism`. Brackets: {100 * origin['config']['level']:.4g} % cluster BCa intervals over images. Asterisk: "
        "corrected p below 0.05, sign flip over images; both parts of the signature in all arms together by max-T, the others each over "
        "the arms. Signature: both parts are so, and the angle moves by 1 % of itself or more."
    )
    return page(verdict(arms, rows), asked, "\n".join(lines), *attention_alone(rows), note)


def summary(arms: Sequence[str], rows: Rows) -> str:
    """What a person reads at the end of a run."""
    return verdict(arms, rows)


def _marked(row: Mapping[str, Any]) -> str:
    return bracketed(row) + (" *" if row["p_adjusted"] < 0.05 else "")
