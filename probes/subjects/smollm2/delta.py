"""What is trained and shipped: adapters, projector and tower in one safetensors file, with what it belongs to in its header."""

import os
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from probes.command.cli import BadInput
from probes.command.files import atomic_write
from probes.subjects.smollm2.base import SHA256


def save_delta(path: str | os.PathLike, parts: dict[str, dict[str, Tensor]], said: dict[str, str]) -> None:
    """Write the parts ("lora", "sight") in float16; `said` (points of training, seeds) stands in the header beside the base's sha256."""
    tensors = {f"{part}.{name}": value.detach().half().contiguous() for part, held in parts.items() for name, value in held.items()}
    with atomic_write(path) as temporary:
        save_file(tensors, temporary, metadata={**said, "base": SHA256})


def load_delta(path: str | os.PathLike) -> tuple[dict[str, dict[str, Tensor]], dict[str, str]]:
    """The parts in float32, and what the header says.

    Raises
    ------
    BadInput : the file is missing or torn, or was trained on another base
    """
    path = Path(path)
    try:
        with safe_open(path, "pt") as file:
            said = file.metadata() or {}
            tensors = {name: file.get_tensor(name).to(torch.float32) for name in file.keys()}  # noqa: SIM118 - safe_open is no dict
    except Exception as error:  # safetensors has an error of its own for a torn header
        raise BadInput(f"subject smollm2: {path} cannot be read ({error}); take it from the repository again.") from error
    if said.get("base") != SHA256:
        base = said.get("base", "unknown")[:12]
        raise BadInput(f"subject smollm2: {path.name} was trained on the base {base}, not on {SHA256[:12]}; it does not fit.")
    parts: dict[str, dict[str, Tensor]] = {}
    for name, value in tensors.items():
        part, _, rest = name.partition(".")
        parts.setdefault(part, {})[rest] = value
    return parts, said
