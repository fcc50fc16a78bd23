"""`python -m analysis.language.fluency`: how probable captions are under a language model that never saw the image, and which are broken.

NLL alone rewards loops, since a model soon expects them; so it stands beside repetition. A caption is broken when it loops
(`analysis.metrics.text_quality`), or when a token of it costs more than that of 99 in 100 captions of `--against`, those of the same
model without the method. What the rule is worth is told by the share of `--against` that it calls broken as it stands, and with its words
shuffled.
"""

import random
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from analysis.language.limits import broken, calibration
from analysis.language.models import PACKAGED, LanguageModel
from analysis.stats.finite import finite_mean
from probes.command.cli import BadInput, quiet, run_cli
from probes.command.files import write_bytes
from probes.command.provenance import provenance
from probes.command.strict_json import json_text
from probes.command.terminal import say
from probes.options import check_positive, check_seed

LONGEST = 200
"""Tokens of a caption that are read, at most."""


@dataclass(frozen=True)
class FluencyConfig:
    """How probable are captions under a language model that never saw the image, and which of them are broken?"""

    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "--captions smoothed.jsonl --against plain.jsonl --json OUT",
        "--captions answers.jsonl --model gpt2",
    )
    captions: tuple[Path, ...]
    """captions files, as `analysis.score chair` takes them; each is an arm by its name"""
    against: Path | None = None
    """captions of the same model without the method; left out: the first of --captions"""
    model: str = PACKAGED
    """smollm2-base (packaged), a folder of a causal language model, or a hub id"""
    most: int = 200
    """captions read of each file, the first ones"""
    longest: int = LONGEST
    """tokens read of each caption, at most"""
    json: Path | None = None
    """results file; printed only when left out"""
    seed: int = 0
    """of the shuffled captions"""
    device: str = "cpu"
    """cpu, cuda or cuda:<n>"""
    dtype: str = "float32"
    """float32, bfloat16 or float16"""
    debug: bool = False
    """show the trace of an error"""

    def __post_init__(self):
        check_positive(self, "most", "longest")
        check_seed(self)
        if not self.captions:
            raise BadInput("FluencyConfig.captions: name a file of captions.")
        if len({path.stem for path in self.files}) < len(self.files):
            raise BadInput("FluencyConfig.captions: files are told apart by their names; two have the same, --against counted.")

    @property
    def files(self) -> list[Path]:
        """Every file once, the one without the method first."""
        given = (*(() if self.against is None else (self.against,)), *self.captions)
        return list({path.resolve(): path for path in given}.values())


def fluency(read: LanguageModel, texts: Sequence[str], longest: int = LONGEST, name: str = "captions") -> Float[np.ndarray, " text"]:
    """Mean negative log-likelihood of each text's tokens but the first, nat a token; NaN of a text of fewer than two."""
    from analysis.language.forced import text_nll
    from analysis.language.texts import tokenized

    found = np.full(len(texts), np.nan)
    made = tokenized(texts, read.tokenizer, longest, 2)
    read.check([text.ids for text in made])
    for text in tqdm(made, desc=name, unit="caption", disable=None):
        found[text.number] = float(text_nll(read.model, [text.ids]).nanmean())
    return found


def shuffled(texts: Sequence[str], seed: int) -> list[str]:
    """The words of each text in another order."""
    draw = random.Random(seed)
    return [" ".join(draw.sample(words := text.split(), len(words))) for text in texts]


def main(config: FluencyConfig) -> None:
    """Read, judge, tell."""
    from analysis.language.models import language_model
    from analysis.score.logs import read_log
    from analysis.score.results import must_be_writable

    quiet()
    files = config.files
    plain = files[0]
    if config.json is not None:
        must_be_writable(config.json, files)
    texts = {path: [answer.text for answer in read_log(path)[: config.most]] for path in files}
    if empty := [path for path, held in texts.items() if not held]:
        raise BadInput(f"--captions {empty[0]}: holds no caption.")
    read = language_model(config.model, config.device, config.dtype)
    nll = {path: fluency(read, held, config.longest, path.stem) for path, held in texts.items()}
    if not np.isfinite(nll[plain]).any():
        raise BadInput(f"{plain}: no caption has two tokens, so that none is probable or improbable; give longer ones.")
    other = shuffled(texts[plain], config.seed)
    rule = calibration(texts[plain], nll[plain], other, fluency(read, other, config.longest, "shuffled"))
    arms = {path.stem: _arm(texts[path], nll[path], rule["limit"]) for path in files}
    found = {"arms": arms, "calibration": rule, "provenance": provenance(config) | {"model_revision": read.revision}}
    if config.json is not None:
        write_bytes(config.json, (json_text(found) + "\n").encode())
    for name, arm in arms.items():
        say(f"{name:40} {arm['n']:5} captions  NLL {arm['nll']:.3f} nat a token  broken {100 * arm['broken']:.1f} %")
    say(
        f"Broken: loops, or above {rule['limit']:.3f} nat; of {plain.stem} with its words shuffled "
        f"{100 * rule['broken_with_words_shuffled']:.1f} %."
    )


def _arm(texts: Sequence[str], nll: Float[np.ndarray, " text"], above: float) -> dict[str, Any]:
    share = float(broken(texts, nll, above).mean())
    return {"n": len(texts), "nll": float(finite_mean(nll[None], axis=1)[0]), "broken": share, "by_caption": nll.tolist()}


if __name__ == "__main__":
    run_cli(FluencyConfig, main)
