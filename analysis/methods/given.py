"""What some methods must be given, made of the subject's own training scenes before any run: directions, statistics, an instruction."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

if TYPE_CHECKING:
    from probes.subjects import Subject

PAIRS = 50
"""Of captions, of which VTI's directions are made."""
CAPTIONS = 100
"""In which AdaIAT's statistics are counted."""
TOGETHER = 25
"""Of these, described together."""
INSTRUCTION = "You are a confused object detector."
"""ICD's, the first of its source."""


@dataclass(frozen=True, eq=False)
class Given:
    """What a method is given.

    Attributes
    ----------
    options : of the method
    told : what they were made of, in words
    """

    options: Mapping[str, Any]
    told: str


def given(name: str, subject: "Subject") -> Given | str:
    """The options that a method must be given for this bundled subject, none for most; or, where there can be none, the reason."""
    return MAKERS[name](subject) if name in MAKERS else Given({}, "")


def _directions(subject: "Subject") -> Given:
    from analysis.benchmark.directions import directions_of, drawn_pairs

    pairs = tqdm(list(drawn_pairs(subject.name, PAIRS)), desc="vti", unit="pair", disable=None)
    told = f"directions of {PAIRS} pairs of captions of training scenes"
    return Given({"directions": directions_of(subject, pairs)}, told)


def _statistics(subject: "Subject") -> Given | str:
    from analysis.benchmark.text_attention import counted
    from probes.subjects.bundled import own_scenes

    scenes = own_scenes(subject.name, CAPTIONS, "train")
    found = counted(subject, tqdm(scenes, desc="adaiat", unit="caption", disable=None), batch_size=TOGETHER)
    if found.missing:
        return f"{CAPTIONS} captions of training scenes name no {found.missing} object, which its statistics need"
    return Given({"statistics": found.statistics}, f"statistics of {found} in {CAPTIONS} captions of training scenes")


def _instruction(subject: "Subject") -> Given | str:
    def tokens(text: str) -> tuple[int, ...]:
        return tuple(subject.tokenizer(text, add_special_tokens=False)["input_ids"])

    unknown = [word for word in INSTRUCTION.rstrip(".").split() if subject.tokenizer.unk_token_id in tokens(word)]
    if unknown:
        return f"the subject does not know words of its disturbing instruction ({', '.join(unknown)})"
    return Given({"instruction": tokens(INSTRUCTION)}, f'"{INSTRUCTION}" as its instruction')


MAKERS: Mapping[str, Callable[["Subject"], Given | str]] = {"vti": _directions, "adaiat": _statistics, "icd": _instruction}
"""By method, what makes it."""
