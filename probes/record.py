"""`python -m probes.record`: what happens inside a model at every decoding step. In Python the same is `probes.record(...)`."""

import sys
import types
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from probes import DEFAULT_BATCH
from probes.cli import BadInput, quiet, run_cli


@dataclass(frozen=True)
class RecordConfig:
    """Record what happens inside a vision-language model at every decoding step, with and without KVSmooth."""

    subject: str = "emoji"
    """the bundled "emoji", a folder of a saved model, or a hub id"""
    images: int = 500
    """how many images; of --image-folder the first ones by name"""
    image_folder: Path | None = None
    """a folder of images; the bundled subject brings its own"""
    prompt: str = "Please describe this image in detail."
    """what is asked about each image"""
    regime: Literal["free", "replay"] = "free"
    """free: each arm generates; replay: the baseline's caption is fed to every arm"""
    out: Path = Path("recordings")
    """folder of the recordings; the same command goes on where it was interrupted"""
    recorders: tuple[str, ...] = ()
    """what is written down, such as entropy mass lens (docs/recording.md lists them); all but layer_lens if none is named"""
    smooth: bool = True
    """record KVSmooth too, beside the baseline"""
    preset: str | None = None
    """published settings of KVSmooth by name, instead of lambda_ref"""
    lambda_ref: float = 0.7
    """KVSmooth's reference rate, in [0, 1]"""
    batch_size: int = DEFAULT_BATCH
    """images a batch"""
    max_new_tokens: int = 160
    """longest caption, tokens"""
    seed: int = 0
    """of sampling; 0 or more"""
    sample: bool = False
    """draw tokens instead of taking the likeliest"""
    temperature: float = 1.0
    """of sampling"""
    device: str = "cpu"
    """cpu, cuda or cuda:<n>"""
    dtype: str = "float32"
    """float32, bfloat16 or float16"""
    debug: bool = False
    """show traces of errors"""

    def __post_init__(self):
        for name in ("images", "batch_size", "max_new_tokens"):
            if getattr(self, name) < 1:
                raise ValueError(f"RecordConfig.{name} must be a positive integer; got {getattr(self, name)}.")
        if self.seed < 0:
            raise ValueError(f"RecordConfig.seed must be 0 or more; got {self.seed}.")
        if not 0 <= self.lambda_ref <= 1:
            raise ValueError(f"RecordConfig.lambda_ref must lie in [0, 1]; got {self.lambda_ref}.")
        if self.temperature <= 0:
            raise ValueError(f"RecordConfig.temperature must be above 0; got {self.temperature}.")

    def arms(self) -> dict[str, Any]:
        """The baseline, and KVSmooth unless it is switched off."""
        if not self.smooth:
            return {"baseline": None}
        from kvsmooth import KVSmooth

        try:
            method = KVSmooth(lambda_ref=self.lambda_ref) if self.preset is None else KVSmooth.preset(self.preset)
        except (ValueError, KeyError) as error:
            raise BadInput(f"--preset {self.preset}: {error.args[0]}") from error
        return {"baseline": None, "kvsmooth": method}


def main(config: RecordConfig) -> None:
    """Record what is missing; finished recordings lie in `config.out` whatever happens then."""

    from probes.recorders import SHARED_RECORDERS
    from probes.session import Session
    from probes.subjects import items_in, load_subject

    quiet()
    # images first: they are checked in no time, a model takes its time to load
    items = None if config.image_folder is None else items_in(config.image_folder, config.prompt)[: config.images]
    subject = load_subject(config.subject, config.device, config.dtype)
    session = Session(
        subject,
        items or subject.items(config.images, config.prompt),
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
