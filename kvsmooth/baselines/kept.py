"""What a method keeps of one batch of sequences, row by row; it follows beams, and rows that leave."""

from typing import Any

import torch
from torch import Tensor


class Kept:
    """State of one batch of sequences.

    Attributes
    ----------
    rows : tensors by name, the batch's row their first dimension
    caches : KV caches of branches, by name
    steps, prompts : decode steps, and ends of prompts, at which the method acted
    measured : by name, sum and count of what the method measures of itself
    """

    def __init__(self) -> None:
        self.rows: dict[str, Tensor] = {}
        self.caches: dict[str, Any] = {}
        self.steps = self.prompts = 0
        self.measured: dict[str, tuple[Tensor, int]] = {}

    def reorder(self, rows: Tensor) -> None:
        """Row i goes on as what row rows[i] was."""
        self.rows = {name: values.index_select(0, rows.to(values.device)) for name, values in self.rows.items()}
        for cache in self.caches.values():
            cache.reorder_cache(rows)

    def keep(self, rows: Tensor) -> None:
        """Only these rows go on."""
        self.rows = {name: values.index_select(0, rows.to(values.device)) for name, values in self.rows.items()}
        for cache in self.caches.values():
            cache.batch_select_indices(rows)

    @torch.no_grad()
    def measure(self, name: str, values: Tensor) -> None:
        """Add measurements to a mean, without waiting for the device."""
        total, count = self.measured.get(name, (torch.zeros((), device=values.device), 0))
        self.measured[name] = total + values.detach().float().sum(), count + values.numel()
