"""Which keys a block of queries may see: the causal edge, a sliding window, padding, or a whole mask as attention receives it.

A block of queries asks for the span of keys it can reach at all, so that the rest costs nothing, and for the hidden scores within.
"""

from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

HIDDEN = -1e30  # as good as -inf in a softmax, and 0 * HIDDEN is 0 where 0 * -inf is not a number


@dataclass(frozen=True)
class Visibility:
    """The rule that says which of `keys` positions each of `queries` sees; the last query stands at the last key.

    Parameters
    ----------
    mask : "row key" (nonzero = a token, zero = padding); or the "row 1|head query key" mask of `sdpa` or `eager` attention, boolean (True =
        visible) or additive, which is the whole rule: `causal` and `window` are then not asked. None hides nothing
    causal : a query sees no key after its own
    window : a query sees its own key and the `window` - 1 before it

    Raises
    ------
    ValueError : a mask of another shape, a window without `causal` or below 1, or more queries than keys where causal
    """

    queries: int
    keys: int
    mask: Tensor | None = None
    causal: bool = True
    window: int | None = None

    def __post_init__(self) -> None:
        shape = None if self.mask is None else tuple(self.mask.shape)
        if shape is not None and (len(shape), *shape[-1:]) != (2, self.keys) and (len(shape), *shape[-2:]) != (4, self.queries, self.keys):
            law = f'"row key" with {self.keys} keys, or "row 1|head query key" with {self.queries} queries'
            raise ValueError(f"Visibility.mask must be {law}; got shape {shape}.")
        if self.window is not None and not (self.causal and self.window >= 1):
            raise ValueError(f"Visibility.window must be at least 1 and causal; got {self.window}, causal={self.causal}.")
        if self.causal and not self.whole and self.queries > self.keys:
            raise ValueError(f"Visibility.queries must be no more than the keys where causal; got {self.queries} > {self.keys}.")

    @property
    def whole(self) -> bool:
        """Whether the mask tells every query and key apart, and so is the whole rule."""
        return self.mask is not None and self.mask.dim() == 4

    @property
    def offset(self) -> int:
        """Position of the first query among the keys."""
        return self.keys - self.queries

    @cached_property
    def tokens(self) -> Bool[Tensor, "row key"] | None:
        """Keys that are no padding; None where all are tokens or a whole mask says it."""
        return None if self.mask is None or self.whole else self.mask.bool()

    @cached_property
    def padded(self) -> Bool[Tensor, "row query"] | None:
        """Queries that are padding by the "row key" mask; None where there are none or no one can tell."""
        if self.tokens is None or not (self.causal or self.queries == self.keys):
            return None
        return ~self.tokens[:, self.offset :]

    @cached_property
    def _edges(self) -> list[tuple[int, int, bool]]:
        """For each row: first key that is a token, one past the last, and whether padding lies between."""
        found = []
        for row in () if self.tokens is None else self.tokens.cpu():
            places = row.nonzero().flatten().tolist()
            low, high = (places[0], places[-1] + 1) if places else (0, 0)
            found.append((low, high, high - low > len(places)))
        return found

    def span(self, row: int, start: int, stop: int) -> tuple[int, int]:
        """First key, and one past the last, that any query in [start, stop) sees; equal where they see nothing."""
        if self.mask is not None and self.whole:
            seen = (~self._hidden(self._part(self.mask, row, start, stop, 0, self.keys))).flatten(0, -2).any(0).nonzero().flatten()
            return (int(seen[0]), int(seen[-1]) + 1) if len(seen) else (0, 0)
        low, high = (0, self.keys) if self.tokens is None else self._edges[row][:2]
        if self.causal:
            high = min(high, stop + self.offset)
        if self.window is not None:
            low = max(low, start + self.offset - self.window + 1)
        return low, max(low, high)

    def hide(self, scores: Float[Tensor, "head query key"], row: int, start: int, low: int, heads: slice) -> None:
        """Overwrite, in place, the scores of hidden keys by `HIDDEN`; an additive mask's finite values are added.

        Parameters
        ----------
        start, low : number of the first query and of the first key in `scores`
        heads : which query heads these are
        """
        stop, high = start + scores.shape[1], low + scores.shape[2]
        if self.mask is not None and self.whole:
            mask = self._part(self.mask, row, start, stop, low, high)[heads if self.mask.shape[1] > 1 else slice(None)]
            if mask.dtype != torch.bool:
                scores.add_(mask.float())
            scores.masked_fill_(self._hidden(mask), HIDDEN)
            return
        place = torch.arange(start, stop, device=scores.device)[:, None] + self.offset
        key = torch.arange(low, high, device=scores.device)
        if self.causal and high > start + self.offset + 1:
            # only keys after the block's first query are hidden from any of it: the rest is not touched
            first = max(start + self.offset + 1 - low, 0)
            scores[..., first:].masked_fill_(key[first:] > place, HIDDEN)
        if self.window is not None and low <= stop - 1 + self.offset - self.window:
            last = stop + self.offset - self.window - low
            scores[..., :last].masked_fill_(key[:last] <= place - self.window, HIDDEN)
        if self.tokens is not None and self._edges[row][2]:
            scores.masked_fill_(~self.tokens[row, low:high], HIDDEN)

    def first_seen(self, rows: int) -> Int[Tensor, " row"] | None:
        """The first key that the last query may see by the mask, of each row: mostly the attention sink; None without a mask."""
        if self.mask is None:
            return None
        seen = ~self._hidden(self.mask[:, :, -1]).all(1) if self.tokens is None else self.tokens
        return seen.int().argmax(-1).expand(rows)

    @staticmethod
    def _part(mask: Tensor, row: int, start: int, stop: int, low: int, high: int) -> Tensor:
        return mask[row if mask.shape[0] > 1 else 0, :, start:stop, low:high]

    @staticmethod
    def _hidden(mask: Tensor) -> Tensor:
        return ~mask if mask.dtype == torch.bool else mask <= torch.finfo(mask.dtype).min / 2
