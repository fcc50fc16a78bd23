"""Writes the verdict and paragraphs of docs/findings.md, and the closing lines of a run, from coupling.json."""

import json
from collections.abc import Mapping
from typing import Any

from analysis.coupling.names import CONTRAST_OF_CLASSES, PRIMARY, WITHOUT_FIRST
from analysis.objects.names import CLASSES
from analysis.question.arms import ARMS, BAND, CONTRAST, CONTROL, TREATED
from analysis.telling.wording import LEVEL, Rows, alike, bracketed, direction, number, page, signed, table

_GO = {-1: "are more probable", 0: "are neither more nor less probable for certain", 1: "are less probable"}
_TABLE = dict(
    zip(
        PRIMARY,
        (
            "hallucinated objects, no smoothing",
            "objects of the image, no smoothing",
            "hallucinated objects, what KVSmooth changes on the same tokens",
        ),
        strict=True,
    )
)


def verdict(rows: Rows) -> str:
    """One sentence: the two signs of which Observation 3 speaks, and what smoothing does to the first; by corrected tests."""
    hallucinated, present = (direction(rows[name]) for name in PRIMARY[:2])
    names = ("hallucinated and present objects alike", "hallucinated objects", "present ones")
    opposite = "are seen" if hallucinated * present == -1 else "are not seen"
    said = f"Where row entropy is high, {alike(hallucinated, present, names, _GO)}: the opposite signs of the paper's third observation "
    said += opposite
    changed = rows.get(PRIMARY[2])
    if changed is None:
        return f"{said}."
    way = direction(changed)
    if not way:
        does = "does not change for certain"
    elif not hallucinated:
        does = "raises" if way == 1 else "lowers"
    else:
        does = "strengthens" if way == hallucinated else "weakens"
    return f"{said}, and on the same tokens KVSmooth {does} the relation for hallucinated objects."


def paragraph(rows: Rows, found: Mapping[str, Any]) -> str:
    """The question's part of the findings page; every number is read from the results."""

    def free(which: str, arm: str = CONTROL, kind: str = "adjusted") -> str:
        return bracketed(rows[f"free/{kind}/{which}/{arm}/{BAND}"])

    def tested(which: str, kind: str = "adjusted") -> str:
        return number(rows[f"free/{kind}/{which}/{CONTROL}/{BAND}"])

    def bare(kind: str, which: str, place: str = BAND) -> str:
        return signed(rows[f"free/{kind}/{which}/{CONTROL}/{place}"]["estimate"])

    counted = found["counted"]
    primary = (
        "Asked: Spearman's correlation within a caption of row entropy (smoothed layers) with the rank of an object at the same step, "
        "position taken out of both. Rank 1 is the most probable token: a positive value says less probable where entropy is high."
    )
    layers = [
        f"{_rejected(rows, 'free', which, arm)} ({which}, {dict(zip(ARMS, ('no smoothing', 'KVSmooth'), strict=True))[arm]})"
        for which in ("hallucinated", "present")
        for arm in ARMS
    ]
    classes = (
        f"*By class, no smoothing.* Absent objects that no caption names: {free('typical')} (typical) and {free('other')} (other). "
        f"Hallucinated minus present, within the image: {tested(CONTRAST_OF_CLASSES)}. Until they are said: {free('hallucinated unsaid')} "
        f"(hallucinated) and {free('present unsaid')} (present). Layers of {counted['layers']} with a corrected p below {LEVEL:g}: "
        f"{'; '.join(layers)}."
    )
    specific = (
        "*Is it the word that comes next?* With the distance of the logit below that of neutral absent objects instead of the rank, which "
        f"takes that out: {tested('hallucinated', 'specific')} (hallucinated) and {tested('present', 'specific')} (present)."
    )
    first = ""
    if f"free/adjusted/present/{CONTROL}/{WITHOUT_FIRST}" in rows:
        alone = {name: number(rows[f"free/adjusted/{name}/{CONTROL}/{WITHOUT_FIRST}"]) for name in ("hallucinated", "present")}
        first = (
            "*Without the first token*, the usual sink, in the entropy (the rest of the row summing to one): "
            f"{alone['hallucinated']} (hallucinated) and {alone['present']} (present)."
        )
    treated = f"*With KVSmooth on its own text*: {free('hallucinated', TREATED)} (hallucinated) and {free('present', TREATED)} (present)."
    if PRIMARY[2] in rows:
        treated += f" On the same tokens the arms differ in {_rejected(rows, 'replay', 'hallucinated', CONTRAST)} layers (hallucinated)."
    lines = ["| cosine of the band's series | " + " | ".join(CLASSES) + " |", "|---" * (len(CLASSES) + 1) + "|"]
    for words, kind, place in (
        ("as in the paper", "cosine", BAND),
        ("steps in any other order, mean", "permuted", BAND),
        ("an entropy that never changes", "constant", "any"),
    ):
        lines.append(f"| {words} | " + " | ".join(bare(kind, which, place) for which in CLASSES) + " |")
    paper = (
        "*The paper's uncentred cosine* is high whatever the order of the steps. What the order adds is "
        f"{free('hallucinated', kind='cosine - permuted')} (hallucinated) and {free('present', kind='cosine - permuted')} (present):"
    )
    bound = (
        "What does not follow: a correlation over steps is no effect of entropy on logits, since the kind of word that comes next moves "
        "both. Hallucinated objects are known by what captions said (images with one: "
        f"{counted['images_with']['hallucinated']} of {counted['images']})."
    )
    note = (
        f"Brackets: {100 * found['provenance']['config']['level']:.4g} % cluster BCa interval over images; n: images, "
        f"{counted['images_with']['hallucinated']} where hallucinated objects are compared; p of a coefficient without smoothing: the "
        f"larger of two, ranks turned round within captions ({counted['turns']} draws) and sign flip over images; of differences: sign "
        f"flip; corrected by {rows[PRIMARY[0]]['adjustment']} (table, named before any result was seen) or max-T over layers and their "
        "mean. Figures: `figures/emoji/coupling/`."
    )
    return page(verdict(rows), primary, table(rows, _TABLE), classes, specific, first, treated, paper, "\n".join(lines), bound, note)


def _rejected(rows: Rows, regime: str, which: str, contrast: str) -> int:
    """Layers whose corrected test rejects at 5 %."""
    wanted = {"regime": regime, "kind": "adjusted", "set": which, "contrast": contrast}
    means = (BAND, WITHOUT_FIRST)
    layers = [row for row in rows.values() if row["where"]["place"] not in means and all(row["where"][k] == v for k, v in wanted.items())]
    return sum(row["p_adjusted"] < LEVEL for row in layers)


def summary(rows: Rows, found: Mapping[str, Any]) -> str:
    """What a person reads at the end of a run."""
    lines = ["Primary outcomes (corrected by Holm)"]
    lines += [f"  {name}: {number(row)}" for name, row in rows.items() if row["role"] == "primary"]
    counted = found["counted"]
    lines += [f"{counted['images']} images; with an object of a set: " + ", ".join(f"{k} {n}" for k, n in counted["images_with"].items())]
    lines += [f"left out: {json.dumps(found['exclusions'], sort_keys=True)}"]
    return "\n".join(lines)
