"""Numbers that papers report, for comparison only: measured by others, on other images, and labelled as such.

Source: Jiang, Chen, Zhang, He, "KVSmooth: Mitigating Hallucination in Multi-modal Large Language Models through Key-Value Smoothing",
arXiv 2602.04268 (CVPR 2026). CHAIR: 500 images of COCO val2014, at most 512 new tokens, greedy; F1 of precision and recall over the
distinct objects. Numbers of the compared methods are as that paper reports them.
"""

import re
from dataclasses import dataclass

SOURCE = "arXiv 2602.04268"


@dataclass(frozen=True)
class Published:
    """One published number.

    Attributes
    ----------
    benchmark, measure : as here
    family : of the subject, as a pattern of its name
    subject : as the paper calls it
    method : as the paper calls it
    value : a fraction, as printed in percent with one decimal
    source : where it stands
    """

    benchmark: str
    measure: str
    family: str
    subject: str
    method: str
    value: float
    source: str = SOURCE


LLAVA, MINIGPT, INSTRUCTBLIP = (r"llava-?(v?1\.5)", "LLaVA-1.5"), (r"minigpt-?4", "MiniGPT-4"), (r"instruct-?blip", "InstructBLIP")
# CHAIR_s and F1 in percent
_CHAIR = {
    LLAVA: {
        "baseline": (41.8, 77.5),
        "VCD": (56.0, 71.1),
        "OPERA": (44.2, 78.6),
        "PAI": (22.6, 75.5),
        "MiddleLayer": (17.8, 75.9),
        "KVSmooth": (18.2, 79.2),
    },
    MINIGPT: {
        "baseline": (31.8, 69.9),
        "OPERA": (27.4, 69.4),
        "PAI": (24.6, 71.0),
        "MiddleLayer": (24.6, 71.2),
        "KVSmooth": (17.0, 71.7),
    },
    INSTRUCTBLIP: {
        "baseline": (61.4, 71.6),
        "OPERA": (68.0, 69.2),
        "PAI": (63.4, 71.1),
        "MiddleLayer": (75.0, 67.2),
        "KVSmooth": (42.2, 75.1),
    },
}
# response level; for the other two subjects the paper's text gives reductions only
_HALBENCH = {LLAVA: {"baseline": 45.3, "KVSmooth": 16.7}}

PUBLISHED = tuple(
    Published("chair", measure, family, subject, method, round(value / 100, 4))
    for (family, subject), methods in _CHAIR.items()
    for method, values in methods.items()
    for measure, value in zip(("chair_s", "f1"), values, strict=True)
) + tuple(
    Published("halbench", "response_hallucination", family, subject, method, round(value / 100, 4))
    for (family, subject), methods in _HALBENCH.items()
    for method, value in methods.items()
)


def published(benchmark: str, subject: str | None = None) -> list[Published]:
    """What is published of a benchmark; with `subject`, only of the family that its name tells."""
    of_it = [one for one in PUBLISHED if one.benchmark == benchmark]
    return of_it if subject is None else [one for one in of_it if re.search(one.family, subject, re.IGNORECASE)]
