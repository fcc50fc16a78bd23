"""What some methods must be given, made of the subject's own training scenes before any run: directions, statistics, an instruction."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tqdm import tqdm

from analysis.captions.version import code_version, meaning
from probes.command.cli import BadInput
from probes.command.files import atomic_write
from probes.command.provenance import digest, versions

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


def kept(name: str, subject: "Subject", folder: Path) -> Given | str:
    """What is given, as an earlier run left it in this folder, or made now and left there: arms that are finished are known by it.

    Raises
    ------
    BadInput : the file is damaged
    """
    import torch

    if name not in MAKERS:
        return given(name, subject)
    path = folder / f"{name}-{_key(name, subject)}.pt"
    if path.is_file():
        try:
            return Given(**torch.load(path, map_location="cpu", weights_only=True))
        except Exception as error:  # torch has many names for a damaged file
            raise BadInput(f"{path}: is damaged ({type(error).__name__}); remove it, and the same command makes it again.") from error
    found = given(name, subject)
    if isinstance(found, Given):
        with atomic_write(path) as unfinished:
            torch.save({"options": found.options, "told": found.told}, unfinished)
    return found


def _key(name: str, subject: "Subject") -> str:
    """Of all that decides what a method is given: the subject, how much, and the code."""
    from analysis.benchmark import directions, text_attention
    from kvsmooth.baselines import METHODS

    code = [meaning(Path(part)) for part in (__file__, directions.__file__, text_attention.__file__)]
    with_versions = [f"{library} {versions().get(library)}" for library in ("torch", "transformers")]
    where = f"{subject.model.dtype} {subject.model.device.type}"
    return digest([subject.revision, where, f"{PAIRS} {CAPTIONS}", *with_versions, code_version(METHODS[name].__module__), *code])


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
