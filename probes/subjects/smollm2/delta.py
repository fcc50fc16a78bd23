"""What is trained and shipped: adapters, projector and tower in one safetensors file, with what it belongs to in its header.

Projector and tower are frozen in the first half of training, so that a point of it may borrow them from another's file; its header says
whose.
"""

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


def save_without_sight(path: str | os.PathLike, out: str | os.PathLike, lender: str) -> None:
    """Write a delta anew as `out`, its projector and tower borrowed from the delta `lender`.safetensors of the same folder.

    Raises
    ------
    BadInput : the two differ, or a file cannot be read
    """
    parts, said = load_delta(path)
    lent, _ = load_delta(Path(out).with_name(f"{lender}.safetensors"))
    own, other = parts["sight"], lent["sight"]
    if own.keys() != other.keys() or not all(torch.equal(value, other[name]) for name, value in own.items()):
        raise BadInput(f"subject smollm2: {path} has another projector or tower than {lender}.safetensors; it cannot borrow them.")
    save_delta(out, {"lora": parts["lora"]}, {**said, "sight": lender})


def load_delta(path: str | os.PathLike) -> tuple[dict[str, dict[str, Tensor]], dict[str, str]]:
    """The parts in float32, those that the file borrows among them, and what its header says.

    Raises
    ------
    BadInput : the file, or the one that it borrows from, is missing or torn, or was trained on another base
    """
    said = header(path)
    if said.get("base") != SHA256:
        base = said.get("base", "unknown")[:12]
        raise BadInput(f"subject smollm2: {Path(path).name} was trained on the base {base}, not on {SHA256[:12]}; it does not fit.")
    parts: dict[str, dict[str, Tensor]] = {}
    if lenders := files_of(path)[1:]:
        parts["sight"] = load_delta(lenders[0])[0]["sight"]
    with safe_open(path, "pt") as file:
        for name in file.keys():  # noqa: SIM118 - safe_open is no dict
            part, _, rest = name.partition(".")
            parts.setdefault(part, {})[rest] = file.get_tensor(name).to(torch.float32)
    if lost := {"lora", "sight"} - parts.keys():
        raise BadInput(f"subject smollm2: {path} has no part {' and '.join(sorted(lost))}; take it from the training again.")
    return parts, said


def files_of(path: str | os.PathLike) -> list[Path]:
    """The delta's own file, the one that it borrows its projector and tower from, if it does, and so on.

    Raises
    ------
    BadInput : a file is missing or torn, or borrows from itself
    """
    found = [Path(path)]
    while lender := header(found[-1]).get("sight"):
        found.append(found[-1].with_name(f"{lender}.safetensors"))
        if found[-1] in found[:-1]:
            raise BadInput(f"subject smollm2: {found[-1]} borrows its projector and tower from itself; take it from the training again.")
    return found


def header(path: str | os.PathLike) -> dict[str, str]:
    """What a delta says of itself.

    Raises
    ------
    BadInput : the file is missing or torn
    """
    try:
        with safe_open(path, "pt") as file:
            return file.metadata() or {}
    except Exception as error:  # safetensors has an error of its own for a torn header
        raise BadInput(f"subject smollm2: {path} cannot be read ({error}); take it from the repository again.") from error
