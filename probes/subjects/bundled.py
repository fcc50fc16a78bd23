"""The subjects that the project brings, and the scenes that each of them describes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probes.command.cli import BadInput

if TYPE_CHECKING:
    from probes.subjects.emoji import Scene

DEFAULT = "emoji"


@dataclass(frozen=True)
class BundledSubject:
    """A subject that needs no download.

    Attributes
    ----------
    name : as commands take it
    side : of its scenes, pixels
    forms : by object, the words that its captions say
    writes : whether the grammar of its training captions can write a sentence
    folder : where an ordinary saved model lies; None for one that is put together when it is loaded
    load : by name, the model (float32, on the CPU) and its processor, where it has no folder
    processor : its processor alone, where it has no folder
    revision : by name, a hash of all that decides an answer, where it has no folder
    """

    name: str
    side: int
    forms: Callable[[], Mapping[str, tuple[str, ...]]]
    writes: Callable[[str], bool]
    folder: Path | None = None
    load: Callable[[str], tuple[Any, Any]] | None = None
    processor: Callable[[], Any] | None = None
    revision: Callable[[str], str] | None = None

    def scenes(self, n: int, split: str = "test") -> "list[Scene]":
        """The first `n` scenes of a split; the test scenes were never trained on."""
        from probes.subjects.emoji import scenes

        return scenes(n, split, self.side)


def _emoji(training: str) -> BundledSubject:
    from probes.subjects.emoji import reading, weights_of
    from probes.subjects.emoji.scenes import SIZE
    from probes.subjects.emoji.vocabulary import object_forms

    return BundledSubject("emoji", SIZE, object_forms, reading.writes, folder=weights_of(training))


def _smollm2(training: str) -> BundledSubject:
    from probes.subjects.smollm2 import loading, wellformed, words
    from probes.subjects.smollm2.model import SIZE, build_processor

    made: dict[str, Any] = {"load": loading.load, "processor": build_processor, "revision": loading.revision}
    return BundledSubject("smollm2", SIZE, words.object_forms, wellformed.writes, **made)


BUNDLED: dict[str, Callable[[str], BundledSubject]] = {"emoji": _emoji, "smollm2": _smollm2}
"""By name, from what stands behind its @; a further subject is one folder and one entry. Each is imported when it is asked for."""


def bundled(name: str) -> BundledSubject | None:
    """The bundled subject of that name, as shipped or from another training ("smollm2@early", "emoji@FOLDER"); None for any other model."""
    base, _, training = name.partition("@")
    return BUNDLED[base](training) if base in BUNDLED else None


def own_scenes(name: str, n: int, split: str = "test") -> "list[Scene]":
    """The first `n` scenes of a bundled subject.

    Raises
    ------
    BadInput : another subject has none
    """
    found = bundled(name)
    if found is None:
        raise BadInput(f"subject {name}: it brings no images; give a folder of images (--image-folder).")
    return found.scenes(n, split)
