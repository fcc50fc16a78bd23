"""The options of `python -m analysis.mediation`."""

from dataclasses import dataclass
from pathlib import Path

from analysis.telling.pages import PAGE
from probes import DEFAULT_BATCH
from probes.options import SubjectOptions, check_level, check_rates

WHERE = ("all", "band")


@dataclass(frozen=True)
class MediationConfig(SubjectOptions):
    """Does smoothing act through the attention rows or through the contents that they read? Patching of the subject's own captions."""

    subject: str = "emoji"
    """the bundled "emoji", or a folder with other weights of it; its scenes say what is in an image"""
    images: int = 200
    """how many scenes; the unit of every test"""
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
    """scenes decoded together"""
    level: float = 0.95
    """coverage of the intervals"""
    dtype: str = "float32"
    """float32, bfloat16 or float16"""

    def __post_init__(self):
        super().__post_init__()
        if self.max_new_tokens < 2:
            raise ValueError("MediationConfig.max_new_tokens must be at least 2, a prefill and a step that is smoothed; got 1.")
        if self.where not in WHERE:
            raise ValueError(f"MediationConfig.where must be one of {WHERE}; got {self.where!r}.")
        check_rates(self, "lambda_ref")
        check_level(self)
