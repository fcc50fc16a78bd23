"""The recordings that several questions read: two arms, two regimes, one folder; and the options that decide them.

Each question that looks at recorded steps takes these options, so that all of them read the same files and only the first one records.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from probes.command.cli import BadInput
from probes.options import ImageOptions, check_level, check_positive, check_rates

if TYPE_CHECKING:
    import xarray as xr

    from probes.subjects import Item


KEPT = ("level", "seed", "min_steps")
"""Options that a redraw takes over from the run."""


@dataclass(frozen=True)
class RecordingsConfig(ImageOptions):
    """What is recorded, where, and how the tests over images are made; a question adds its own folder."""

    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "",
        "--images 20",
        "--redraw",
        "--subject models/mine --image-folder photos --images 50",
    )
    RESUMES: ClassVar[bool] = True
    recordings: Path = Path("recordings")
    """folder of the recordings; what lies there is not recorded again"""
    redraw: bool = False
    """draw from the files in --out only, with the options they were made with; needs no model"""
    lambda_ref: float = 0.7
    """KVSmooth's reference rate, in [0, 1]"""
    min_steps: int = 8
    """images with fewer generated tokens in either arm are left out of the tests"""
    level: float = 0.95
    """coverage of the intervals"""

    def __post_init__(self):
        super().__post_init__()
        check_positive(self, "min_steps")
        check_rates(self, "lambda_ref")
        check_level(self)


def recordings_of(
    config: RecordingsConfig,
    regimes: Iterable[str] = ("free", "replay"),
    variables: Sequence[str] | None = None,
    items: "Sequence[Item] | None" = None,
) -> "dict[str, xr.Dataset]":
    """By regime, the recordings of baseline and KVSmooth; what is missing is recorded now, with every recorder but the lens by layer.

    The replay feeds the baseline's own captions to both arms.

    Parameters
    ----------
    variables : names of the schema that the question needs; of hundreds of images a few are read in seconds, all of them are not
    items : the images, numbered as in their annotations; None: as the options name them

    Raises
    ------
    BadInput : an item or option cannot be used, or the folder holds recordings of other settings
    """
    from kvsmooth import KVSmooth
    from probes.recorders import SHARED_RECORDERS
    from probes.session import record

    subject, items = config.subject_and_items(items)
    arms = {"baseline": None, "kvsmooth": KVSmooth(lambda_ref=config.lambda_ref)}
    options: dict[str, Any] = {"out": config.recordings, "batch_size": config.batch_size, "max_new_tokens": config.max_new_tokens}
    options |= {"recorders": SHARED_RECORDERS, "variables": variables}
    try:
        return {regime: record(subject, items, arms, regime, **options) for regime in regimes}
    except BadInput as error:  # what the recording calls --out is --recordings here
        raise BadInput(str(error).replace("(--out)", "(--recordings)")) from error


def band(recordings: "Mapping[str, xr.Dataset]") -> list[int]:
    """The smoothed layers, read off the rates; without any, all but the first three and the last, which is the method's default."""
    for recording in recordings.values():
        if "rate" in recording:
            rate = recording["rate"]
            touched = rate.notnull().any([dim for dim in rate.dims if dim != "layer"])
            if touched.any():
                return [int(layer) for layer in recording["layer"].values[touched.values]]
    layers = next(iter(recordings.values()))["layer"].values
    return [int(layer) for layer in (layers[3:-1] if len(layers) > 4 else layers)]
