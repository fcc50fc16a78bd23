"""What coupling.json says, in words: the paragraph of docs/findings.md and the lines at the end of a run."""

import json
from collections.abc import Mapping
from typing import Any

from analysis.arms import ARMS, BAND, CONTRAST, CONTROL, TREATED
from analysis.coupling.names import CONTRAST_OF_CLASSES, PRIMARY
from analysis.logits.names import CLASSES
from analysis.logits.told import number, signed

Rows = Mapping[str, Mapping[str, Any]]


def paragraph(rows: Rows, found: Mapping[str, Any]) -> str:
    """The paragraph of the findings page; every number is read from the results."""

    def free(which: str, arm: str = CONTROL, kind: str = "adjusted", place: str = BAND) -> str:
        return number(rows[f"free/{kind}/{which}/{arm}/{place}"])

    def bare(kind: str, which: str, place: str = BAND) -> str:
        return signed(rows[f"free/{kind}/{which}/{CONTROL}/{place}"]["estimate"])

    primary = (
        "Primary, named in the code before any result was seen: Spearman's correlation within a caption of the row entropy (mean of the "
        "smoothed layers and of heads) with the logarithm of an object's rank at the same step, after both have lost their mean over "
        "images at that step and their line over the caption. Rank 1 is the most probable token, so a positive value says that objects are "
        f"less probable where entropy is high. Without smoothing it is {free('hallucinated')} for hallucinated and {free('present')} for "
        "present objects"
    )
    changed = rows.get(PRIMARY[2])
    primary += "." if changed is None else f"; on the same tokens, KVSmooth changes the former by {number(changed)}."
    layers = [
        f"{_rejected(rows, 'free', which, arm)} (" + ", ".join([which, {CONTROL: "none", TREATED: "KVSmooth"}[arm]]) + ")"
        for which in ("hallucinated", "present")
        for arm in ARMS
    ]
    rest = (
        f"Absent objects that no caption names: {free('typical')} (typical) and {free('other')} (other). Hallucinated minus present, "
        f"within the image: {free(CONTRAST_OF_CLASSES)}. Until they are said: {free('hallucinated unsaid')} and {free('present unsaid')}. "
        f"With KVSmooth on its own text: {free('hallucinated', TREATED)} and {free('present', TREATED)}. Layers of "
        f"{found['counted']['layers']} with a corrected p below 0.05: {'; '.join(layers)}. "
    )
    rest += (
        "With the distance of the logit below the mean logit of absent objects that are neither named nor typical instead of the rank, "
        "which takes out what the kind of word that follows does to all objects alike: "
        f"{free('hallucinated', kind='specific')} (hallucinated) and {free('present', kind='specific')} (present). "
    )
    if changed is not None:
        rest += f"The difference between arms on the same tokens passes in {_rejected(rows, 'replay', 'hallucinated', CONTRAST)} layers."
    cosines = ", ".join(f"{bare('cosine', c)} ({c})" for c in CLASSES)
    permuted = ", ".join(bare("permuted", c) for c in CLASSES)
    constant = ", ".join(bare("constant", c, "any") for c in CLASSES)
    paper = (
        f"The paper's uncentred cosine of the same series is {cosines}; with the steps in any other order {permuted} on average, "
        f"and with an entropy that never changes {constant}. What the order of the steps adds is "
        f"{free('hallucinated', kind='cosine - permuted')} (hallucinated) and {free('present', kind='cosine - permuted')} (present). "
        "Without any regard to position Spearman's correlation is "
        f"{free('hallucinated', kind='plain')} and {free('present', kind='plain')}."
    )
    bound = (
        "What does not follow: a correlation over steps is no effect of entropy on logits, since the kind of word that comes next moves "
        "both; and hallucinated objects are known by what captions said (images with one: "
        f"{found['counted']['images_with']['hallucinated']} of {found['counted']['images']})."
    )
    level = 100 * found["provenance"]["config"]["level"]
    note = (
        f"Brackets: {level:.4g} % cluster BCa interval over images; n: images; p of an arm's adjusted or partial coefficient on its own "
        f"text: the larger of two, ranks turned round within captions ({found['counted']['turns']} draws) and sign flip over images; of "
        "all others: sign flip; corrected by "
        f"{rows[PRIMARY[0]]['adjustment']} (primary) or max-T over layers and their mean. Figures: `figures/coupling/`."
    )
    return "\n\n".join([primary, rest.strip(), paper, bound, note])


def _rejected(rows: Rows, regime: str, which: str, contrast: str) -> int:
    """Layers whose corrected test rejects at 5 %."""
    wanted = {"regime": regime, "kind": "adjusted", "set": which, "contrast": contrast}
    layers = [row for row in rows.values() if row["where"]["place"] != BAND and all(row["where"][k] == v for k, v in wanted.items())]
    return sum(row["p_adjusted"] < 0.05 for row in layers)


def summary(rows: Rows, found: Mapping[str, Any]) -> str:
    """What a person reads at the end of a run."""
    lines = ["Primary outcomes (corrected by Holm)"]
    lines += [f"  {name}: {number(row)}" for name, row in rows.items() if row["role"] == "primary"]
    counted = found["counted"]
    lines += [f"{counted['images']} images; with an object of a set: " + ", ".join(f"{k} {n}" for k, n in counted["images_with"].items())]
    lines += [f"left out: {json.dumps(found['exclusions'], sort_keys=True)}"]
    return "\n".join(lines)
