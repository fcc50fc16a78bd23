"""The options of `python -m analysis.mediation`."""

from dataclasses import dataclass
from pathlib import Path

from probes import DEFAULT_BATCH

WHERE = ("all", "band")


@dataclass(frozen=True)
class MediationConfig:
    """Does smoothing act through the attention rows or through the contents that they read? Patching of the subject's own captions."""

    subject: str = "emoji"
    """the bundled "emoji", or a folder with other weights of it; its scenes say what is in an image"""
    images: int = 200
    """how many scenes; the unit of every test"""
    prompt: str = "Please describe this image in detail."
    """what is asked about each scene"""
    out: Path = Path("figures/mediation")
    """folder of the figure, mediation.nc and mediation.json"""
    store: Path = Path("recordings/mediation")
    """folder of finished batches; what lies there is not patched again"""
    redraw: bool = False
    """draw from the files in --out only; needs no model"""
    where: str = "all"
    """layers whose rows are put in or clamped: all, or the smoothed band's"""
    lambda_ref: float = 0.7
    """KVSmooth's reference rate, in [0, 1]"""
    batch_size: int = DEFAULT_BATCH
    """scenes decoded together"""
    max_new_tokens: int = 160
    """longest caption, tokens"""
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
        for name in ("images", "batch_size", "max_new_tokens"):
            if getattr(self, name) < 1:
                raise ValueError(f"MediationConfig.{name} must be a positive integer; got {getattr(self, name)}.")
        if self.max_new_tokens < 2:
            raise ValueError("MediationConfig.max_new_tokens must be at least 2, a prefill and a step that is smoothed; got 1.")
        if self.seed < 0:
            raise ValueError(f"MediationConfig.seed must be 0 or more; got {self.seed}.")
        if self.where not in WHERE:
            raise ValueError(f"MediationConfig.where must be one of {WHERE}; got {self.where!r}.")
        if not 0 <= self.lambda_ref <= 1:
            raise ValueError(f"MediationConfig.lambda_ref must lie in [0, 1]; got {self.lambda_ref}.")
        if not 0 < self.level < 1:
            raise ValueError(f"MediationConfig.level must lie in (0, 1); got {self.level}.")
