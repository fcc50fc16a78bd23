"""The bundled subject: a small real LLaVA, trained on scenes of COCO objects that are drawn from OpenMoji's glyphs.

Glyphs: OpenMoji (CC BY-SA 4.0). Its card is docs/subject.md.
"""

from pathlib import Path

from probes.subjects.emoji.model import PROMPT_TEMPLATE, build, prompt_text
from probes.subjects.emoji.scenes import Scene, SceneObject, annotations, scene, scenes

WEIGHTS = Path(__file__).parent / "weights"


def weights_of(training: str) -> Path:
    """The folder of weights of a training: "" or "last" the shipped ones, else the folder that the training was told to write (--out)."""
    if training in ("", "last"):
        return WEIGHTS
    folder = Path(training).expanduser()
    return folder / "weights" if (folder / "weights").is_dir() else folder


__all__ = ["PROMPT_TEMPLATE", "WEIGHTS", "Scene", "SceneObject", "annotations", "build", "prompt_text", "scene", "scenes", "weights_of"]
