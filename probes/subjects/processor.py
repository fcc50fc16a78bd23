"""A model's processor; without torchvision, the part of it that reads images and text."""

import importlib.util
import warnings
from typing import Any

from probes.command.cli import Notice

CLASS_TOKEN = ("clip_vision_model",)
"""Image towers with one position more than patches, by their `model_type`."""


def load_processor(name: str, source: str, config: Any, **pinned: str) -> Any:
    """The processor that lies beside a model.

    Several families bring a processor for videos too, which needs torchvision; where that is not installed, theirs is loaded without it,
    since images are all that is read here.

    Parameters
    ----------
    name : of the subject
    source : a folder or a hub id
    config : of the model
    pinned : `revision`

    Warns
    -----
    Notice : the processor does not say how many tokens an image has, and is told by the model

    Raises
    ------
    Exception : what transformers raises where there is none, or where a package is missing
    """
    from transformers import PROCESSOR_MAPPING, AutoImageProcessor, AutoProcessor, AutoTokenizer

    kind: Any = PROCESSOR_MAPPING.get(type(config), None)
    if importlib.util.find_spec("torchvision") is not None or kind is None or "video_processor" not in kind.get_attributes():
        return counted(name, AutoProcessor.from_pretrained(source, **pinned), config, source, **pinned)
    makers: dict[str, Any] = {"image_processor": AutoImageProcessor, "tokenizer": AutoTokenizer}
    parts = [makers[part].from_pretrained(source, **pinned) if part in makers else NoVideos() for part in kind.get_attributes()]
    options, rest = kind.get_processor_dict(source, **pinned)
    return counted(name, without_videos(kind).from_args_and_dict(parts, options, **rest), config, source, **pinned)


def counted(name: str, processor: Any, config: Any, source: str, **pinned: str) -> Any:
    """A processor that knows how many tokens an image has; what older checkpoints do not write beside it is in the model's configuration.

    Parameters
    ----------
    processor : changed in place

    Warns
    -----
    Notice : what was taken from the model's configuration
    """
    written = type(processor).get_processor_dict(source, **pinned)[0] if hasattr(type(processor), "get_processor_dict") else {}
    known = {key: value for key, value in _counts(config).items() if hasattr(processor, key) and written.get(key) is None}
    # a default may be right, as it is where a tower has no class token
    missing = {key: value for key, value in known.items() if getattr(processor, key) != value}
    for key, value in missing.items():
        setattr(processor, key, value)
    if missing:
        told = ", ".join(f"{key} {value}" for key, value in missing.items())
        line = f"subject {name}: its processor does not say how many tokens an image has; taken from the model's configuration: {told}."
        warnings.warn(line, Notice, stacklevel=4)
    return processor


def _counts(config: Any) -> dict[str, Any]:
    """What decides the number of an image's tokens, by the name that processors have for it."""
    found = {"num_query_tokens": getattr(config, "num_query_tokens", None)}
    tower = getattr(config, "vision_config", None)
    strategy = getattr(config, "vision_feature_select_strategy", None)
    patch, side = getattr(tower, "patch_size", None), getattr(tower, "image_size", None)
    if isinstance(patch, int) and strategy is not None:
        extra = int(tower.model_type in CLASS_TOKEN)
        found |= {"patch_size": patch, "vision_feature_select_strategy": strategy, "num_additional_image_tokens": extra}
        if isinstance(side, int):
            found["num_image_tokens"] = (side // patch) ** 2 + extra
    return {key: value for key, value in found.items() if value is not None}


class NoVideos(dict):
    """Stands where a processor of videos would: asked by some how many frames it takes even where there is no video, and written as {}."""

    num_frames = fps = None


def without_videos(kind: Any) -> Any:
    """A processor class that takes `NoVideos` for its video processor, under the same name."""

    def check(self: Any, name: str, part: Any) -> Any:
        return NoVideos if isinstance(part, NoVideos) else kind.check_argument_for_proper_class(self, name, part)

    return type(kind.__name__, (kind,), {"check_argument_for_proper_class": check})
