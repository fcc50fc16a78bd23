"""How much a response leans on one of its own tokens: OPERA's penalty, from the last layer's attention."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from kvsmooth.baselines.biased import Attended
from kvsmooth.baselines.columns import attention_scores, own_mask
from kvsmooth.baselines.door import changed_attention
from kvsmooth.baselines.site import Site

UNIT = 1e-7


@dataclass(frozen=True)
class LastRow:
    """Keeps, at each pass, what the newest token attends to in the last layer: the largest weight of its heads, as shares of their sum."""

    site: Site
    _rows: list[Tensor] = field(default_factory=list)

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """The last layer is watched inside the block."""
        try:
            with changed_attention(self.site, self._on, alone="rolls its beams back, which no other method follows"):
                yield
        finally:
            self._rows.clear()

    def take(self, total: int) -> Float[Tensor, "row position"]:
        """The row of the latest pass, over `total` tokens; 0 for those that a sliding layer has dropped."""
        row = self._rows.pop()[:, :total]
        return torch.nn.functional.pad(row, (total - row.shape[1], 0))

    def _on(self, base: Callable[..., Any]) -> Callable[..., Any]:
        def attend(module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **kwargs: Any) -> Attended:
            if module.layer_idx == self.site.depth - 1:
                with torch.no_grad():
                    scores = attention_scores(query[:, :, -1:], key, kwargs) + own_mask(attention_mask, 1, key.shape[2], key.device)
                    highest = scores.clamp_min(torch.finfo(scores.dtype).min).softmax(-1)[:, :, 0].amax(1)
                    self._rows[:] = [highest / highest.sum(-1, keepdim=True)]
            result: Attended = base(module, query, key, value, attention_mask, **kwargs)
            return result

        return attend


def over_trust(
    local: Float[Tensor, "beam row column"], newest: Float[Tensor, "beam candidate place"], scale: float
) -> Float[Tensor, "beam candidate place"]:
    """1e-7 times the product of a column of the response's attention, times `scale`, from its diagonal down; held in half precision.

    Parameters
    ----------
    local : attention of the response's tokens to one another, lower triangular
    newest : of each candidate for the next token, to the response and to itself
    """
    places = newest.shape[-1]
    square = torch.ones(*newest.shape, places, dtype=newest.dtype, device=newest.device)
    square[:, :, :-1, :-1] = scale * local[:, None]
    square[:, :, -1] = scale * newest
    below = torch.ones(places, places, dtype=torch.bool, device=newest.device).tril()
    return (UNIT * square.masked_fill(~below, 1.0).prod(2)).half().float()


def trusted_places(trust: Float[Tensor, "beam candidate place"]) -> Int[Tensor, "beam candidate"]:
    """The first place of the largest trust."""
    places = torch.arange(trust.shape[-1], device=trust.device)
    return torch.where(trust == trust.amax(-1, keepdim=True), places, trust.shape[-1]).amin(-1)


def commonest(values: Sequence[int]) -> int:
    """The commonest value, of several the smallest."""
    return max(sorted(set(values)), key=list(values).count)
