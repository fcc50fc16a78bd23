"""The bundled subject: a small real LLaVA, trained on scenes of COCO objects that are drawn from OpenMoji's glyphs.

Glyphs: OpenMoji (CC BY-SA 4.0). Its card is docs/subject.md.
"""

from pathlib import Path

from probes.subjects.emoji.model import PROMPT_TEMPLATE, build, prompt_text
from probes.subjects.emoji.scenes import Scene, SceneObject, annotations, scene, scenes

WEIGHTS = Path(__file__).parent / "weights"

__all__ = ["PROMPT_TEMPLATE", "WEIGHTS", "Scene", "SceneObject", "annotations", "build", "prompt_text", "scene", "scenes"]
