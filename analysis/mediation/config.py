"""The options of `python -m analysis.mediation`."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from analysis.telling.pages import PAGE
from probes import DEFAULT_BATCH
from probes.options import ImageOptions, check_level, check_rates

WHERE = ("all", "band")


@dataclass(frozen=True)
class MediationConfig(ImageOptions):
    """Does smoothing act through the attention rows or through the contents that they read? Patching of the subject's own captions."""

    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "",
        "--images 20 --where band",
        "--redraw",
        "--subject models/mine --image-folder photos --annotations instances.json --images 50",
    )
    RESUMES: ClassVar[bool] = True
    subject: str = "emoji"
    """a bundled subject (emoji, smollm2), a folder of a saved model, or a hub id; one that names COCO's objects"""
    images: int = 200
    """how many images; the unit of every test"""
    annotations: Path | None = None
    """objects of the images of --image-folder, in COCO's instances format; a bundled subject brings its own"""
    out: Path = Path("figures/emoji/mediation")
    """folder of the figure, mediation.nc and mediation.json"""
    store: Path = Path("recordings/mediation")
    """folder of finished batches; what lies there is not patched again"""
    page: Path = PAGE
    """the page that gets the paragraph"""
    redraw: bool = False
    """draw from the files in --out only; needs no model"""
    where: str = "all"
    """layers whose rows are put in or clamped: all, or the smoothed band's"""
    lambda_ref: float = 0.7
    """KVSmooth's reference rate, in [0, 1]"""
    batch_size: int = DEFAULT_BATCH
    """images decoded together"""
    level: float = 0.95
    """coverage of the intervals"""

    def __post_init__(self):
        super().__post_init__()
        if self.max_new_tokens < 2:
            raise ValueError("MediationConfig.max_new_tokens must be at least 2, a prefill and a step that is smoothed; got 1.")
        if self.where not in WHERE:
            raise ValueError(f"MediationConfig.where must be one of {WHERE}; got {self.where!r}.")
        check_rates(self, "lambda_ref")
        check_level(self)
