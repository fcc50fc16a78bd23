"""`python -m analysis.benchmark.beside`: what a bundled subject says of a few scenes, plainly and with each method; nothing is scored."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from analysis.benchmark.methods import BenchmarkMethod, methods
from analysis.benchmark.names import BASELINE
from probes.command.cli import BadInput, one_line, run_cli
from probes.command.terminal import say
from probes.options import check_positive


@dataclass(frozen=True)
class BesideConfig:
    """Captions of a few scenes under each method, beside what the scenes hold."""

    EXAMPLES: ClassVar[tuple[str, ...]] = ("--images 3", "--images 2 --methods baseline pai:alpha=0.5 image_bias:strength=1")
    subject: str = "emoji"
    """a bundled subject"""
    images: int = 3
    """scenes, the first of those kept for validation"""
    methods: tuple[str, ...] = ()
    """as of `python -m analysis.benchmark`; left out: the baseline, KVSmooth, and every method of `kvsmooth.baselines` at its defaults"""
    max_new_tokens: int = 120
    """bound"""
    debug: bool = False
    """traces of errors"""

    def __post_init__(self):
        check_positive(self, "images", "max_new_tokens")


def perform(config: BesideConfig) -> None:
    """Print them, method by method."""
    for line in beside(config, methods(config.methods or every_method())):
        say(line)


def every_method() -> tuple[str, ...]:
    """Specifications of all of them at their defaults."""
    from kvsmooth.baselines import METHODS

    return (BASELINE, "kvsmooth", *METHODS)


def beside(config: BesideConfig, chosen: list[BenchmarkMethod]) -> Iterator[str]:
    """Lines as they come: each scene's objects, then what each method says of each scene, its length, and the method's receipts.

    Raises
    ------
    BadInput : the subject has no scenes of its own
    """
    from contextlib import nullcontext

    import torch

    from analysis.answering.answering import asked_by
    from kvsmooth import Unsupported
    from probes.subjects import Item, load_subject
    from probes.subjects.bundled import own_scenes
    from probes.tracing.tokens import end_tokens, free_captions

    subject = load_subject(config.subject)
    scenes = own_scenes(subject.name, config.images, "validation")
    inputs = subject.encode([Item(scene.image_id, scene.image) for scene in scenes])
    for number, scene in enumerate(scenes):
        yield f"scene {number}: {', '.join(sorted(one.category for one in scene.objects))}"
    for one in chosen:
        try:
            with torch.inference_mode(), nullcontext() if one.options is None else one.options(subject.model) as run:
                choice = {"do_sample": False, "num_beams": 1, "max_new_tokens": config.max_new_tokens, **asked_by(one.options)}
                rows = free_captions(subject.model, inputs, end_tokens(subject.speaker), **choice)
        except (Unsupported, BadInput) as error:
            yield f"\n{one.name}: {one_line(error)}"
            continue
        told = {} if run is None else run.report()
        amounts = {name: value for name, value in told.items() if isinstance(value, float) and name not in one.describe()}
        yield f"\n{one.name}  {', '.join(f'{name} {value:.3g}' for name, value in amounts.items())}".rstrip()
        for number, row in enumerate(rows):
            yield f"  {number} ({len(row)} tokens): {subject.text(row)}"


if __name__ == "__main__":
    run_cli(BesideConfig, perform)
