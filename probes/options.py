"""Options that many commands have, and their laws. A command's own options are a frozen dataclass on top of these."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probes import DEFAULT_BATCH
from probes.command.cli import BadInput, quiet
from probes.command.values import is_whole

if TYPE_CHECKING:
    from probes.subjects import Item, Subject


def check_positive(options: Any, *names: str) -> None:
    """These fields are whole numbers of at least 1, or left out; of a tuple, each value.

    Raises
    ------
    BadInput : one is not
    """
    _check(options, names, lambda value: is_whole(value) and value >= 1, "a positive integer", "positive integers")


def check_seed(options: Any) -> None:
    """The field `seed` is a whole number from 0 on.

    Raises
    ------
    BadInput : it is not
    """
    _check(options, ("seed",), is_whole, "a whole number")
    check_not_negative(options, "seed")


def check_not_negative(options: Any, *names: str) -> None:
    """These fields are at least 0.

    Raises
    ------
    BadInput : one is not
    """
    _check(options, names, lambda value: value >= 0, "0 or more")


def check_above_zero(options: Any, *names: str) -> None:
    """These fields are above 0, and finite.

    Raises
    ------
    BadInput : one is not
    """
    _check(options, names, lambda value: 0 < value < math.inf, "positive")


def check_rates(options: Any, *names: str) -> None:
    """These fields lie in [0, 1].

    Raises
    ------
    BadInput : one does not
    """
    _check(options, names, lambda value: 0 <= value <= 1, "in [0, 1]", verb="lie")


def check_doses(options: Any) -> None:
    """The field `doses` holds values of lambda_ref: 0, which is no smoothing, then larger ones, whose names are of six digits.

    Raises
    ------
    BadInput : it does not
    """
    check_rates(options, "doses")
    name, doses = type(options).__name__, options.doses
    if list(doses) != sorted({*doses}) or doses[:1] != (0.0,) or len(doses) < 2:
        raise BadInput(f"{name}.doses must begin with 0 and rise; got {' '.join(map(str, doses))}.")
    check_names(options, "doses")


def check_names(options: Any, field: str) -> None:
    """The values of a field differ in six digits, by which what is asked of each is named.

    Raises
    ------
    BadInput : two do not
    """
    values = getattr(options, field)
    if len({f"{value:g}" for value in values}) < len(values):
        told = " ".join(map(str, values))
        raise BadInput(f"{type(options).__name__}.{field} must differ in six digits, by which they are named; got {told}.")


def check_level(options: Any) -> None:
    """The field `level`, a coverage, lies in (0, 1).

    Raises
    ------
    BadInput : it does not
    """
    _check(options, ("level",), lambda value: 0 < value < 1, "in (0, 1)", verb="lie")


def _check(options: Any, names: tuple[str, ...], holds: Callable[[Any], bool], law: str, plural: str = "", verb: str = "be") -> None:
    for name in names:
        given = getattr(options, name)
        for value in given if isinstance(given, tuple) else (given,):
            if value is not None and not holds(value):
                told = plural if plural and isinstance(given, tuple) else law
                raise BadInput(f"{type(options).__name__}.{name} must {verb} {told}; got {value}.")


@dataclass(frozen=True)
class SubjectOptions:
    """Who describes how many images, in which batches, and where it runs."""

    subject: str = "emoji"
    """the bundled "emoji", a folder of a saved model, or a hub id"""
    images: int = 500
    """how many images; in tests, the unit"""
    prompt: str = "Please describe this image in detail."
    """what is asked about each image"""
    batch_size: int = DEFAULT_BATCH
    """images a batch"""
    max_new_tokens: int = 160
    """longest caption, tokens"""
    seed: int = 0
    """of whatever is drawn at random"""
    device: str = "cpu"
    """cpu, cuda or cuda:<n>"""
    debug: bool = False
    """show traces of errors"""

    def __post_init__(self):
        check_positive(self, "images", "batch_size", "max_new_tokens")
        check_seed(self)


@dataclass(frozen=True)
class ImageOptions(SubjectOptions):
    """The same for images of one's own too."""

    image_folder: Path | None = None
    """a folder of images, of which the first ones by name are taken; the bundled subject brings its own"""
    dtype: str = "float32"
    """float32, bfloat16 or float16"""

    def subject_and_items(self, items: "Sequence[Item] | None" = None) -> "tuple[Subject, list[Item]]":
        """The model, loaded without its library's talk, and the images that it is shown.

        Parameters
        ----------
        items : where they are known already; None: those of the folder, or the bundled subject's scenes

        Raises
        ------
        BadInput : an image cannot be read, another subject is given no images, or the subject cannot be loaded
        """
        from probes.subjects import items_in, load_subject
        from probes.subjects.bundled import own_scenes
        from probes.subjects.item import Item

        quiet()
        # images first: they are checked in no time, a model takes its time to load
        if items is None and self.image_folder is None:
            items = [Item(scene.image_id, scene.image, self.prompt) for scene in own_scenes(self.subject, self.images)]
        elif items is None:
            items = items_in(self.image_folder, self.prompt)[: self.images]
        return load_subject(self.subject, self.device, self.dtype), list(items)
