"""The recordings that several questions read: two arms, two regimes, one folder; and the options that decide them.

Each question that looks at recorded steps takes these options, so that all of them read the same files and only the first one records.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from probes import DEFAULT_BATCH
from probes.cli import BadInput, quiet

if TYPE_CHECKING:
    import xarray as xr

    from probes.subjects import Item, Subject

KEPT = ("level", "seed", "min_steps")
"""Options that a redraw takes over from the run."""


@dataclass(frozen=True)
class ObservedConfig:
    """What is recorded, where, and how the tests over images are made; a question adds its own folder."""

    subject: str = "emoji"
    """the bundled "emoji", a folder of a saved model, or a hub id"""
    images: int = 500
    """how many images; the unit of every test"""
    image_folder: Path | None = None
    """a folder of images; the bundled subject brings its own"""
    prompt: str = "Please describe this image in detail."
    """what is asked about each image"""
    recordings: Path = Path("recordings")
    """folder of the recordings; what lies there is not recorded again"""
    redraw: bool = False
    """draw from the files in --out only, with the options they were made with; needs no model"""
    lambda_ref: float = 0.7
    """KVSmooth's reference rate, in [0, 1]"""
    batch_size: int = DEFAULT_BATCH
    """images a batch"""
    max_new_tokens: int = 160
    """longest caption, tokens"""
    min_steps: int = 8
    """images with fewer generated tokens in either arm are left out of the tests"""
    level: float = 0.95
    """coverage of the intervals"""
    seed: int = 0
    """of bootstrap and permutations"""
    device: str = "cpu"
    """cpu, cuda or cuda:<n>"""
    dtype: str = "float32"
    """float32, bfloat16 or float16"""
    debug: bool = False
    """show traces of errors"""

    def __post_init__(self):
        own = type(self).__name__
        for name in ("images", "batch_size", "max_new_tokens", "min_steps"):
            if getattr(self, name) < 1:
                raise ValueError(f"{own}.{name} must be a positive integer; got {getattr(self, name)}.")
        if self.seed < 0:
            raise ValueError(f"{own}.seed must be 0 or more; got {self.seed}.")
        if not 0 <= self.lambda_ref <= 1:
            raise ValueError(f"{own}.lambda_ref must lie in [0, 1]; got {self.lambda_ref}.")
        if not 0 < self.level < 1:
            raise ValueError(f"{own}.level must lie in (0, 1); got {self.level}.")


def observed(
    config: ObservedConfig, regimes: Iterable[str] = ("free", "replay"), variables: Sequence[str] | None = None
) -> "dict[str, xr.Dataset]":
    """By regime, the recordings of baseline and KVSmooth; what is missing is recorded now, with every recorder but the lens by layer.

    The replay feeds the baseline's own captions to both arms.

    Parameters
    ----------
    variables : names of the schema that the question needs; of hundreds of images a few are read in seconds, all of them are not

    Raises
    ------
    BadInput : an item or option cannot be used, or the folder holds recordings of other settings
    """
    from kvsmooth import KVSmooth
    from probes.recorders import SHARED_RECORDERS
    from probes.session import record

    subject, items = subject_and_items(config)
    arms = {"baseline": None, "kvsmooth": KVSmooth(lambda_ref=config.lambda_ref)}
    options: dict[str, Any] = {"out": config.recordings, "batch_size": config.batch_size, "max_new_tokens": config.max_new_tokens}
    options |= {"recorders": SHARED_RECORDERS, "variables": variables}
    try:
        return {regime: record(subject, items, arms, regime, **options) for regime in regimes}
    except BadInput as error:  # what the recording calls --out is --recordings here
        raise BadInput(str(error).replace("(--out)", "(--recordings)")) from error


def subject_and_items(config: ObservedConfig) -> "tuple[Subject, list[Item]]":
    """The model, loaded without its library's talk, and the images that it is shown."""

    from probes.subjects import items_in, load_subject

    quiet()
    items = None if config.image_folder is None else items_in(config.image_folder, config.prompt)[: config.images]
    subject = load_subject(config.subject, config.device, config.dtype)
    return subject, items or subject.items(config.images, config.prompt)
