"""What a method keeps of one batch of sequences, row by row; it follows beams, and rows that leave."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

PROMPT = -1
"""The step of what is measured before the first decode step, of a whole prompt."""


@dataclass(frozen=True)
class Measured:
    """What a method measured of itself in one step, over all of its layers and heads.

    Attributes
    ----------
    sums : by row
    count : measurements in each row's sum
    present : of the whole batch, the rows that `sums` has, where some have left; None where it has all
    """

    sums: Float[Tensor, " row"]
    count: int
    present: Int[Tensor, " row"] | None

    def over(self, own: Bool[Tensor, " place"]) -> tuple[float, int]:
        """Sum and number of the measurements in rows whose token is the text's."""
        counted = own if self.present is None else own[self.present.cpu()]
        return float(self.sums.double().cpu()[counted].sum()), int(counted.sum()) * self.count


class Kept:
    """State of one batch of sequences.

    Attributes
    ----------
    rows : tensors by name, the batch's row their first dimension
    caches : KV caches of branches, by name
    steps, prompts : decode steps, and ends of prompts, at which the method acted
    step : of the present pass, from 0 for the first that decodes; `PROMPT` before
    present : of the whole batch, the rows that the present pass has, where some have left
    measured : by name and step, what the method measures of itself
    """

    def __init__(self) -> None:
        self.rows: dict[str, Tensor] = {}
        self.caches: dict[str, Any] = {}
        self.steps = self.prompts = 0
        self.step = PROMPT
        self.present: Tensor | None = None
        self.measured: dict[str, dict[int, Measured]] = {}

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
        """Add measurements of the present step to a mean, without waiting for the device.

        Parameters
        ----------
        values : the batch's row is their first dimension; a row that has ended is left out of the mean when that is asked for
        """
        by_row = values.detach().float().reshape(len(values), -1)
        self._add(name, self.step, by_row.sum(1), by_row.shape[1])

    @torch.no_grad()
    def measure_search(self, name: str, values: Tensor) -> None:
        """Add measurements of a search over texts, those that are given up among them: all of them count."""
        self._add(name, PROMPT, values.detach().float().sum()[None], values.numel())

    def _add(self, name: str, step: int, sums: Tensor, count: int) -> None:
        steps = self.measured.setdefault(name, {})
        before = steps.get(step)
        if before is not None:
            sums, count = before.sums + sums, before.count + count
        steps[step] = Measured(sums, count, self.present)
