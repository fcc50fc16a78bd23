"""What mechanism.json says, in words: which arms have the signature, and whether KVSmooth has more of it."""

from collections.abc import Mapping, Sequence
from typing import Any

from analysis.cells.names import BASELINE, PAPER
from analysis.mechanism.measures import MEASURES, SIGNATURE, MechanismMeasure
from analysis.telling.wording import Rows, bracketed, direction, listed, page

NAMES = {
    PAPER: "KVSmooth",
    "constant": "a constant rate",
    "shrink_only": "shrinking alone",
    "norm_preserving": "turning alone (norms kept)",
    "random_direction": "a step in a random direction",
}


def has_signature(rows: Rows, arm: str) -> bool:
    """Whether both parts move as the paper says, by the corrected test, and by enough to count."""
    return all(_counts(rows[f"{arm} - {BASELINE}/{name}"], MEASURES[name]) for name in SIGNATURE)


def _counts(row: Mapping[str, Any], measure: MechanismMeasure) -> bool:
    return direction(row) == measure.sign and abs(row["estimate"]) >= measure.least * abs(row["effect"][BASELINE])


def verdict(arms: Sequence[str], rows: Rows) -> str:
    """Whether the mechanism is KVSmooth's own."""
    controls = [arm for arm in arms if arm not in (BASELINE, PAPER)]
    with_it = [NAMES.get(arm, arm) for arm in controls if has_signature(rows, arm)]
    if not has_signature(rows, PAPER):
        return "KVSmooth does not have the signature of the paper's mechanism: attention kept on the image and hidden states near it."
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


def paragraph(arms: Sequence[str], rows: Rows, found: Mapping[str, Any]) -> str:
    """The question's part of the page; every number is read from the results."""
    origin = found["provenance"]
    asked = (
        "Asked: is what smoothing does to attention and hidden states KVSmooth's own, or any disturbance's of that size? The captions "
        f"without smoothing of {rows[f'{PAPER}/entropy']['n']} images are fed to every arm; means over smoothed layers. Each minus none:"
    )
    lines = [f"| arm | {' | '.join(f'{m.label}, {m.unit}' for m in MEASURES.values())} | signature |", "|---" * (len(MEASURES) + 2) + "|"]
    for arm in arms:
        if arm != BASELINE:
            cells = [_marked(rows[f"{arm} - {BASELINE}/{name}"]) for name in MEASURES]
            lines.append(f"| {NAMES.get(arm, arm)} | {' | '.join(cells)} | {'yes' if has_signature(rows, arm) else 'no'} |")
    note = (
        f"`python -m analysis.mechanism`. Brackets: {100 * origin['config']['level']:.4g} % cluster BCa intervals over images. Asterisk: "
        "corrected p below 0.05, sign flip over images; both parts of the signature in all arms together by max-T, the others each over "
        "the arms. Signature: both parts are so, and the angle moves by 1 % of itself or more."
    )
    return page(verdict(arms, rows), asked, "\n".join(lines), note)


def summary(arms: Sequence[str], rows: Rows) -> str:
    """What a person reads at the end of a run."""
    return verdict(arms, rows)


def _marked(row: Mapping[str, Any]) -> str:
    return bracketed(row) + (" *" if row["p_adjusted"] < 0.05 else "")
