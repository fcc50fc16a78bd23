"""The options that every command has which runs cells."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from probes.options import ImageOptions, check_above_zero, check_level, check_positive, check_rates


@dataclass(frozen=True)
class CellsConfig(ImageOptions):
    """Who describes what in every cell, where finished cells lie, and how the tests over images are made; a question adds its folder."""

    RESUMES: ClassVar[bool] = True
    RERUNS: ClassVar[str] = "only"
    subject: str = "emoji"
    """a bundled subject (emoji, smollm2), a folder of a saved model, or a hub id"""
    images: int = 500
    """how many images; the unit of every test"""
    annotations: Path | None = None
    """objects of the images of --image-folder, in COCO's instances format; a bundled subject brings its own"""
    store: Path = Path("recordings/ablation")
    """folder of finished cells; what lies there is not run again, whichever command asks"""
    only: tuple[str, ...] = ()
    """run these cells of the plan again, and no other that lies in --store"""
    redraw: bool = False
    """figures and page from the files in --out, without a model"""
    workers: int = 2
    """processes, of one thread each"""
    batch_size: int = 50
    """images decoded together; two-pass policies exchange rates within a batch"""
    lambda_ref: float = 0.7
    """centre of the paper's clip, in [0, 1]"""
    exact: bool = False
    """leave attention to the implementation found, as KVSmooth(exact=True); slower, the same captions"""
    margin_f1: float = 0.02
    """difference of F1 that does not matter, for the test of equivalence"""
    level: float = 0.95
    """coverage of the intervals"""

    def __post_init__(self):
        super().__post_init__()
        own = type(self).__name__
        check_positive(self, "workers")
        if self.max_new_tokens < 2:
            raise ValueError(f"{own}.max_new_tokens must be at least 2, a prefill and a step that is smoothed; got 1.")
        check_rates(self, "lambda_ref")
        check_level(self)
        check_above_zero(self, "margin_f1")
