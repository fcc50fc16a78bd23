"""Which objects the observed images have: the bundled subject's own annotations, or a file in COCO's instances format."""

import json
from collections.abc import Mapping
from pathlib import Path

from analysis.question.observed import ObservedConfig
from probes.command.cli import BadInput


def annotations_of(config: ObservedConfig, path: Path | None) -> Mapping:
    """Annotations in COCO's instances format.

    Raises
    ------
    BadInput : images of one's own without a file, or a file that cannot be read or is something else
    """
    if path is None:
        if config.image_folder is not None:
            raise BadInput("--image-folder: objects of these images are not known; give their annotations (--annotations, COCO's format).")
        from probes.subjects.bundled import own_scenes
        from probes.subjects.emoji import annotations

        return annotations(own_scenes(config.subject, config.images))
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return {name: list(found[name]) for name in ("images", "annotations", "categories")}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path}: cannot be read as COCO's instances ({type(error).__name__}); give such a file (--annotations).") from error
