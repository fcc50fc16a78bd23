"""A branch that sees, from some layer on, only the image tokens that it attends to least."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kvsmooth.baselines.biased import Attended
from kvsmooth.baselines.columns import own_mask
from kvsmooth.baselines.door import changed_attention
from kvsmooth.baselines.logits import Pass
from kvsmooth.baselines.prompt_row import newest_row
from kvsmooth.baselines.site import Site

IMAGE_OF_BRANCH = "least_seen_image"
LLAVA_RANK, LLAVA_IMAGE = 100, 576


@dataclass
class _Passing:
    """A pass of the branch: its batch, the image of one that begins, and which image tokens are hidden in it."""

    at: Pass
    image: Bool[Tensor, "row position"] | None = None
    hidden: Bool[Tensor, "row position"] | None = None


@dataclass(frozen=True)
class LeastSeen:
    """Hides image tokens in passes of the method's own branch; the text's passes stay as they are.

    Parameters
    ----------
    rank : image tokens that stay; 0 for the same share as 100 of 576
    layer : first layer that is hidden from; the one before it is measured, at each pass anew
    """

    site: Site
    rank: int
    layer: int
    _passing: list[_Passing] = field(default_factory=list)

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Attention is owned inside the block."""
        with changed_attention(self.site, self._on):
            yield

    @contextmanager
    def branch(self, at: Pass) -> Iterator[None]:
        """Passes in here are of the branch beside this pass of the text."""
        self._passing.append(_Passing(at))
        try:
            yield
        finally:
            self._passing.pop()

    def begin(self, at: Pass, image: Bool[Tensor, "row position"], rows: int) -> None:
        """Learn the image of a branch that begins, "row position" of the prompts, for `rows` rows."""
        # it begins with all prompts again and again, and goes on with all beams of a prompt side by side
        self._passing[-1].image = image.repeat(rows // len(image), 1)
        at.kept.rows[IMAGE_OF_BRANCH] = image.repeat_interleave(rows // len(image), 0)

    def _on(self, base: Callable[..., Any]) -> Callable[..., Any]:
        def attend(module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **kwargs: Any) -> Attended:
            passing = self._passing[-1] if self._passing and self.site.following.branching else None
            mask, layer = attention_mask, int(module.layer_idx)
            if passing is not None:
                total = passing.at.stream.start + passing.at.stream.fed
                if layer == self.layer - 1:
                    passing.hidden = self._hidden(passing, newest_row(query, key, attention_mask, kwargs, total))
                elif layer >= self.layer and passing.hidden is not None:
                    mask = hiding(passing.hidden, attention_mask, query, key, total)
            result: Attended = base(module, query, key, value, mask, **kwargs)
            return result

        return attend

    def _hidden(self, passing: _Passing, row: Float[Tensor, "row total"]) -> Bool[Tensor, "row position"]:
        kept = passing.at.kept
        image = kept.rows[IMAGE_OF_BRANCH] if passing.image is None else passing.image
        number = image.sum(1, keepdim=True)
        stay = (number * LLAVA_RANK / LLAVA_IMAGE).round().clamp_min(1) if self.rank == 0 else self.rank
        # by attention, then by place: from a sliding layer's window several may have dropped out
        place = row[:, : image.shape[1]].masked_fill(~image, torch.inf).argsort(dim=1, stable=True).argsort(dim=1)
        hidden = image & (place >= stay)
        # the share of the image that the branch does not see
        kept.measure("hidden", hidden.sum(1) / image.sum(1))
        return hidden


@torch.no_grad()
def hiding(
    hidden: Bool[Tensor, "row position"], mask: Tensor | None, query: Tensor, key: Tensor, total: int
) -> Float[Tensor, "row _ query key"]:
    """The additive mask without these tokens; a query that would see nothing then, as of an image that opens its prompt, sees all."""
    keys, gone = key.shape[2], max(0, total - key.shape[2])
    columns = hidden[:, gone : gone + keys]
    columns = torch.nn.functional.pad(columns, (0, keys - columns.shape[1]))[:, None, None]
    own = own_mask(mask, query.shape[2], keys, key.device)
    floor = torch.finfo(query.dtype).min
    less = own.masked_fill(columns, -torch.inf)
    blind = (less <= floor).all(-1, keepdim=True)
    return torch.where(blind, own, less).clamp_min(floor).to(query.dtype)
