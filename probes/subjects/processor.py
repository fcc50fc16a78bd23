"""A model's processor; without torchvision, the part of it that reads images and text."""

import importlib.util
from typing import Any


def load_processor(source: str, config: type, **pinned: str) -> Any:
    """The processor that lies beside a model.

    Several families bring a processor for videos too, which needs torchvision; where that is not installed, theirs is loaded without it,
    since images are all that is read here.

    Parameters
    ----------
    source : a folder or a hub id
    config : class of the model's configuration
    pinned : `revision`

    Raises
    ------
    Exception : what transformers raises where there is none, or where a package is missing
    """
    from transformers import PROCESSOR_MAPPING, AutoImageProcessor, AutoProcessor, AutoTokenizer

    kind = PROCESSOR_MAPPING.get(config, None)
    if importlib.util.find_spec("torchvision") is not None or kind is None or "video_processor" not in kind.get_attributes():
        return AutoProcessor.from_pretrained(source, **pinned)
    makers = {"image_processor": AutoImageProcessor, "tokenizer": AutoTokenizer}
    parts = [makers[part].from_pretrained(source, **pinned) if part in makers else NoVideos() for part in kind.get_attributes()]
    options, rest = kind.get_processor_dict(source, **pinned)
    return without_videos(kind).from_args_and_dict(parts, options, **rest)


class NoVideos(dict):
    """Stands where a processor of videos would: asked by some how many frames it takes even where there is no video, and written as {}."""

    num_frames = fps = None


def without_videos(kind: type) -> type:
    """A processor class that takes `NoVideos` for its video processor, under the same name."""

    def check(self: Any, name: str, part: Any) -> Any:
        return NoVideos if isinstance(part, NoVideos) else kind.check_argument_for_proper_class(self, name, part)

    return type(kind.__name__, (kind,), {"check_argument_for_proper_class": check})
