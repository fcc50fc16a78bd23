"""`python -m probes.record`: what happens inside a model at every decoding step. In Python the same is `probes.record(...)`."""

import sys
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal

from probes.command.cli import BadInput, run_cli
from probes.command.values import check_temperature
from probes.options import ImageOptions, check_rates


@dataclass(frozen=True)
class RecordConfig(ImageOptions):
    """Record what happens inside a vision-language model at every decoding step, with and without KVSmooth."""

    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "--images 50 --out recordings/first",
        "--images 50 --regime replay --recorders entropy mass --out recordings/few",
        "--subject models/mine --image-folder photos --images 50 --out recordings/mine",
    )
    RESUMES: ClassVar[bool] = True
    regime: Literal["free", "replay"] = "free"
    """free: each arm generates; replay: the baseline's caption is fed to every arm"""
    out: Path = Path("recordings")
    """folder of the recordings; the same command goes on where it was interrupted"""
    recorders: tuple[str, ...] = ()
    """what is written down (docs/recording.md): entropy mass drift norms smoothing probability mean_state received displacement logits gain
    patches dependency lens layer_lens; all but layer_lens if none is named"""
    smooth: bool = True
    """record KVSmooth too, beside the baseline"""
    preset: str | None = None
    """published settings of KVSmooth, instead of lambda_ref: llava-1.5, minigpt-4 or instructblip"""
    lambda_ref: float = 0.7
    """KVSmooth's reference rate, in [0, 1]"""
    seed: int = 0
    """of sampling; 0 or more"""
    sample: bool = False
    """draw tokens instead of taking the likeliest"""
    temperature: float = 1.0
    """of sampling"""

    def __post_init__(self):
        super().__post_init__()
        check_rates(self, "lambda_ref")
        check_temperature(self.temperature, "RecordConfig.temperature")
        if self.preset is not None:
            self.arms()  # refused now, not when a model is loaded
        if self.recorders:
            self._check_recorders()

    def _check_recorders(self) -> None:
        from probes.recorders import RECORDERS

        if unknown := [name for name in self.recorders if name not in RECORDERS]:
            raise BadInput(f"RecordConfig.recorders must be of {', '.join(RECORDERS)}; got {unknown[0]!r}.")

    def arms(self) -> dict[str, Any]:
        """The baseline, and KVSmooth unless it is switched off."""
        if not self.smooth:
            return {"baseline": None}
        from kvsmooth import KVSmooth

        try:
            method = KVSmooth(lambda_ref=self.lambda_ref) if self.preset is None else KVSmooth.preset(self.preset)
        except ValueError as error:
            raise BadInput(f"--preset {self.preset}: {error.args[0]}") from error
        return {"baseline": None, "kvsmooth": method}


def main(config: RecordConfig) -> None:
    """Record what is missing; finished recordings lie in `config.out` whatever happens then."""
    from probes.recorders import SHARED_RECORDERS
    from probes.session import Session

    subject, items = config.subject_and_items()
    session = Session(
        subject,
        items,
        config.arms(),
        config.regime,
        config.out,
        batch_size=config.batch_size,
        max_new_tokens=config.max_new_tokens,
        recorders=config.recorders or SHARED_RECORDERS,
        seed=config.seed,
        generate={"do_sample": True, "temperature": config.temperature} if config.sample else {"do_sample": False},
    )
    for _ in session.recordings():
        continue


class _Door(types.ModuleType):
    """`probes.record` names this module and the function `record`: called, the module is the function, whichever import came first."""

    def __call__(self, *args: Any, **options: Any) -> Any:
        from probes.session import record

        return record(*args, **options)


if __name__ == "__main__":
    run_cli(RecordConfig, main)
else:
    sys.modules[__name__].__class__ = _Door
