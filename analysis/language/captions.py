"""`python -m analysis.language.captions`: what the bundled subjects say without smoothing, as texts for `--texts captions`.

Of each subject the first test scenes, greedily; the text file of the package is what this wrote.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from analysis.language.texts import CAPTIONS
from probes.command.cli import BadInput, quiet, run_cli
from probes.command.files import write_bytes
from probes.command.strict_json import json_text
from probes.command.terminal import say
from probes.options import check_positive


@dataclass(frozen=True)
class OwnCaptionsConfig:
    """Captions of the bundled subjects without smoothing, a line of JSON each, with the scene."""

    EXAMPLES: ClassVar[tuple[str, ...]] = ("", "--images 60 --out captions.jsonl")
    images: int = 20
    """test scenes of each subject, the first ones"""
    max_new_tokens: int = 160
    """longest caption, tokens"""
    out: Path = CAPTIONS
    """file of the texts"""
    debug: bool = False
    """show traces of errors"""

    def __post_init__(self):
        check_positive(self, "images", "max_new_tokens")
        if self.out == CAPTIONS and (self.images, self.max_new_tokens) != (20, 160):
            raise BadInput(f"--out {CAPTIONS}: is made of 20 scenes and 160 tokens; give another file for what is made otherwise.")


def main(config: OwnCaptionsConfig) -> None:
    """Load, describe, write."""
    import torch

    from probes.subjects import load_subject
    from probes.subjects.bundled import BUNDLED
    from probes.tracing.tokens import end_tokens, free_captions

    quiet()
    lines: list[str] = []
    for name in BUNDLED:
        subject = load_subject(name)
        scenes = subject.items(config.images)
        inputs = subject.encode(scenes)
        with torch.inference_mode():
            said = free_captions(subject.model, inputs, end_tokens(subject.speaker), do_sample=False, max_new_tokens=config.max_new_tokens)
        told = (
            {"image_id": scene.image_id, "subject": name, "caption": subject.text(one)} for scene, one in zip(scenes, said, strict=True)
        )
        lines += map(json_text, told)
    write_bytes(config.out, ("\n".join(lines) + "\n").encode())
    say(f"{len(lines)} captions")


if __name__ == "__main__":
    run_cli(OwnCaptionsConfig, main)
