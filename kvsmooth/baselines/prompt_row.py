"""What the prompt's last token attends to, layer by layer, measured while the prompt passes."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from kvsmooth.baselines.biased import Attended
from kvsmooth.baselines.columns import attention_scores, own_mask
from kvsmooth.baselines.door import changed_attention
from kvsmooth.baselines.kept import Kept
from kvsmooth.baselines.site import Site

ROW = "prompt_row"


@dataclass(frozen=True)
class PromptRow:
    """Keeps the attention of each prompt's last token in every layer of the decoder, mean over heads; attention itself stays as it is."""

    site: Site

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Prompts are measured inside the block."""
        with changed_attention(self.site, self._on):
            yield

    def take(self, kept: Kept) -> Float[Tensor, "layer row position"]:
        """What was kept of a batch, which is forgotten then."""
        return torch.stack([kept.rows.pop(f"{ROW}_{layer}") for layer in range(self.site.depth)])

    def _on(self, base: Callable[..., Any]) -> Callable[..., Any]:
        def attend(module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **kwargs: Any) -> Attended:
            following, stream = self.site.following, self.site.following.passed
            kept = following.kept()
            if kept is not None and stream is not None and stream.ready and not following.decoding:
                total = stream.start + stream.fed
                kept.rows[f"{ROW}_{module.layer_idx}"] = newest_row(query, key, attention_mask, kwargs, total)
            result: Attended = base(module, query, key, value, attention_mask, **kwargs)
            return result

        return attend


@torch.no_grad()
def newest_row(query: Tensor, key: Tensor, mask: Tensor | None, options: dict[str, Any], total: int) -> Float[Tensor, "row position"]:
    """A last token's attention to the `total` tokens up to it, mean over heads, float32; 0 where a sliding layer drops them."""
    scores = attention_scores(query[:, :, -1:], key, options) + own_mask(mask, 1, key.shape[2], key.device)
    row = scores.clamp_min(torch.finfo(scores.dtype).min).softmax(-1).mean((1, 2))
    gone = max(0, total - key.shape[2])
    return torch.nn.functional.pad(row[:, : total - gone], (gone, 0))
