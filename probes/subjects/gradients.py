"""What the processes of a training run share: the mean of their gradients, and one clock."""

from collections.abc import Sequence

import torch
import torch.distributed as dist
from torch import nn


def average(parameters: Sequence[nn.Parameter], processes: int) -> None:
    """Replace the gradients by their mean over the processes; parameters without one are left out."""
    held = [p for p in parameters if p.grad is not None]
    if processes == 1 or not held:
        return
    flat = torch.cat([p.grad.flatten() for p in held])
    dist.all_reduce(flat)
    for p, part in zip(held, flat.div_(processes).split([p.numel() for p in held]), strict=True):
        p.grad.copy_(part.view_as(p))


def first_clock(minutes: float, rank: int, processes: int) -> float:
    """The first process's time, in every process."""
    if processes == 1:
        return minutes
    clock = torch.tensor([minutes if rank == 0 else 0.0], dtype=torch.float64)
    dist.all_reduce(clock)
    return float(clock)
