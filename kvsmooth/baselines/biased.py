"""Methods that add to attention scores before the softmax: the bias of the newest queries, handed on as an additive mask."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from kvsmooth.baselines.columns import Columns, attention_scores, own_mask, seen_columns, written_columns
from kvsmooth.baselines.door import changed_attention
from kvsmooth.baselines.site import Site
from kvsmooth.errors import Unsupported

Attended: TypeAlias = tuple[Tensor, Tensor | None]


Bias: TypeAlias = Callable[[int, Float[Tensor, "row head query key"], Columns], Float[Tensor, "row head query key"]]
"""What is added to the scores of some queries of a layer, before the softmax; from their scores, as a rule before the mask."""


@dataclass(frozen=True)
class ScoreBias:
    """The stage of one block: which layers, which queries, and what is added.

    Parameters
    ----------
    layers : of the decoder
    bias : what is added
    prompt : queries of the prompt that are dealt with too: "none"; "last", its last token; "behind", all behind the image
    neutral : nothing is added: attention is left to the function found, to the bit
    about : the columns that the bias is about, and whose attention is measured: "image", or "written", which needs no image
    masked : the bias is made of scores behind the mask
    """

    site: Site
    layers: frozenset[int]
    bias: Bias
    prompt: str = "none"
    neutral: bool = False
    about: str = "image"
    masked: bool = False

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """The decoder's attention is biased inside the block."""
        with changed_attention(self.site, lambda base: _Biased(self, base).attend):
            yield


class _Biased:
    def __init__(self, stage: ScoreBias, base: Callable[..., Any]):
        self.stage, self.base = stage, base
        self.last = max(stage.layers)

    def attend(self, module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **kwargs: Any) -> Attended:
        """Attention output "row query head channel" and, where the function found gives them, weights."""
        layer: int = module.layer_idx
        seen = self._seen(query, key) if layer in self.stage.layers else None
        result: Attended
        if seen is None:
            result = self.base(module, query, key, value, attention_mask, **kwargs)
            return result
        if kwargs.get("s_aux") is not None:
            raise Unsupported(f"{self.stage.site.method} does not know attention with learned sink logits; use a model without them.")
        queries = seen.queries.shape[1]
        if layer == self.last:
            self.stage.site.following.acted()
        if self.stage.neutral:
            result = self.base(module, query, key, value, attention_mask, **kwargs)
            return result
        mask = self._mask(layer, query[:, :, -queries:], key, attention_mask, kwargs, seen)
        if queries == query.shape[2]:
            result = self.base(module, query, key, value, mask, **kwargs)
            return result
        # the whole prompt as it is, and its last queries once more with the bias
        output, weights = self.base(module, query, key, value, attention_mask, **kwargs)
        newest, newest_weights = self.base(module, query[:, :, -queries:], key, value, mask, **kwargs)
        output = torch.cat((output[:, :-queries], newest), 1)
        if weights is not None and newest_weights is not None:
            weights = torch.cat((weights[:, :, :-queries], newest_weights), 2)
        return output, weights

    def _seen(self, query: Tensor, key: Tensor) -> Columns | None:
        """The columns of the queries that are dealt with in this pass; None where there are none."""
        find = written_columns if self.stage.about == "written" else seen_columns
        return find(self.stage.site, self.stage.prompt, query, key)

    @torch.no_grad()
    def _mask(
        self, layer: int, query: Tensor, key: Tensor, mask: Tensor | None, kwargs: dict[str, Any], seen: Columns
    ) -> Float[Tensor, "row head query key"]:
        scores = attention_scores(query, key, kwargs)
        additive = own_mask(mask, query.shape[2], key.shape[2], query.device)
        bias = self.stage.bias(layer, scores + additive if self.stage.masked else scores, seen)
        bias = bias.masked_fill(~seen.queries[:, None, :, None], 0.0)
        self._measure(scores[:, :, -1] + additive[:, :, -1], bias[:, :, -1], seen)
        # the lowest number in the place of -inf: a row of padding alone must not become NaN
        mixed: Tensor = (additive + bias).clamp_min(torch.finfo(query.dtype).min).to(query.dtype)
        return mixed

    def _measure(self, scores: Float[Tensor, "row head key"], bias: Float[Tensor, "row head key"], seen: Columns) -> None:
        following = self.stage.site.following
        kept = following.kept()
        if kept is None or not following.decoding:
            return
        about = (seen.written if self.stage.about == "written" else seen.image)[:, None]
        for name, logits in (("mass_without", scores), ("mass", scores + bias)):
            kept.measure(f"{self.stage.about}_{name}", logits.softmax(-1).masked_fill(~about, 0.0).sum(-1))
