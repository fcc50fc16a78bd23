"""A shortcut from one layer's attention to the head: ONLY's counterfactual, which needs no second pass."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from kvsmooth.baselines.biased import Attended
from kvsmooth.baselines.columns import attention_scores, own_mask, prompt_groups
from kvsmooth.baselines.door import changed_attention
from kvsmooth.baselines.kept import Kept
from kvsmooth.baselines.site import Site
from kvsmooth.errors import Unsupported
from kvsmooth.spans import IMAGE, PADDING

CUT, ENTERED, LEFT = "shortcut_cut", "shortcut_entered", "shortcut_left"
PARTS = {"self_attn", "mlp", "input_layernorm", "post_attention_layernorm"}
OF_RESIDUAL, OF_STATE, TINY = 0.2, 0.5, 1e-6


@dataclass(frozen=True)
class Shortcut:
    """Keeps, at each newest token, what the shortcut needs.

    Parameters
    ----------
    layer : whose attention it begins at
    neutral : nothing is kept; attention is only followed
    """

    site: Site
    layer: int
    neutral: bool = False

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """Attention and the last layer are watched inside the block."""
        last = self.site.decoder.layers[-1]
        if {name for name, _ in last.named_children()} != PARTS:
            raise Unsupported(
                f"{self.site.method} sends a state through the two norms and the feed-forward block of a layer like LLaMA's; "
                f"{type(last).__name__} is built otherwise."
            )
        hooks = (
            last.register_forward_pre_hook(self._enters, with_kwargs=True),
            last.register_forward_hook(self._leaves),
        )
        try:
            with changed_attention(self.site, self._on):
                yield
        finally:
            for hook in hooks:
                hook.remove()

    def logits(self, kept: Kept) -> Float[Tensor, "row token"] | None:
        """What the head says behind the shortcut, float32, once; None where this pass did not go through the attention that is watched."""
        if CUT not in kept.rows:
            return None
        cut, entered, left = (kept.rows.pop(name) for name in (CUT, ENTERED, LEFT))
        last, norm = self.site.decoder.layers[-1], self.site.final_norm
        state = OF_RESIDUAL * entered + last.input_layernorm(cut)
        state = state + last.mlp(last.post_attention_layernorm(state))
        logits: Tensor = self.site.head(norm(state) + OF_STATE * norm(left))[:, -1].float()
        return logits

    def _on(self, base: Callable[..., Any]) -> Callable[..., Any]:
        def attend(module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **kwargs: Any) -> Attended:
            # before the base, within which KVSmooth may write to the newest value
            if module.layer_idx == self.layer:
                self._cut(module, query, key, value, attention_mask, kwargs)
            result: Attended = base(module, query, key, value, attention_mask, **kwargs)
            return result

        return attend

    @torch.no_grad()
    def _cut(self, module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, options: dict[str, Any]) -> None:
        following, stream = self.site.following, self.site.following.passed
        kept = following.kept()
        if kept is None or stream is None or not (following.decoding or stream.ready):
            return
        groups = prompt_groups(self.site, stream, kept, len(query), query.device)
        if groups is None:
            return
        following.acted()
        if self.neutral:
            return
        scores = attention_scores(query[:, :, -1:], key, options) + own_mask(mask, 1, key.shape[2], key.device)
        row = scores.clamp_min(torch.finfo(scores.dtype).min).softmax(-1)[:, :, 0]
        weights = balanced(row, *_columns(groups, key.shape[2], stream.start + stream.fed))
        grouped = value.repeat_interleave(query.shape[1] // value.shape[1], 1)
        kept.rows[CUT] = module.o_proj((weights[:, :, None].to(value.dtype) @ grouped).transpose(1, 2).flatten(2))

    def _enters(self, layer: torch.nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        kept = self.site.following.kept()
        if kept is not None and CUT in kept.rows:
            kept.rows[ENTERED] = (args[0] if args else kwargs["hidden_states"])[:, -1:].detach()

    def _leaves(self, layer: torch.nn.Module, args: object, output: Any) -> None:
        kept = self.site.following.kept()
        if kept is not None and CUT in kept.rows:
            kept.rows[LEFT] = (output[0] if isinstance(output, tuple) else output)[:, -1:].detach()


def balanced(
    row: Float[Tensor, "row head key"], text: Bool[Tensor, "row key"], image: Bool[Tensor, "row key"]
) -> Float[Tensor, "row head key"]:
    """Weights without the outliers of text and of image, of heads whose ratio of entropies, text to image, is not below their mean."""
    entropies = []
    for part in (text[:, None], image[:, None]):
        number = part.sum(-1, keepdim=True)
        mean = (row * part).sum(-1, keepdim=True) / number
        # of a single token there is no deviation (0 / 0), and no outlier
        deviation = (((row - mean).square() * part).sum(-1, keepdim=True) / (number - 1)).sqrt()
        row = row.masked_fill(part & (row > mean + deviation), 0.0)
        share = row * part / (row * part).sum(-1, keepdim=True)
        entropies.append(-(share * (share + TINY).log()).sum(-1))
    ratio = entropies[0].nan_to_num(nan=0.0) / entropies[1].nan_to_num(nan=torch.inf)
    return row.masked_fill((ratio < ratio.mean(-1, keepdim=True))[..., None], 0.0)


def _columns(groups: Int[Tensor, "row position"], keys: int, total: int) -> tuple[Bool[Tensor, "row key"], Bool[Tensor, "row key"]]:
    """Text behind its first token, what was generated included, and image, on the key axis of a layer that has been fed `total` tokens."""
    image = groups.eq(IMAGE)
    text = groups.ne(PADDING) & ~image
    text = text & (text.cumsum(1) > 1)
    grown, gone = total - groups.shape[1], max(0, total - keys)
    parts = [torch.nn.functional.pad(part, (0, grown), value=said)[:, gone:] for part, said in ((text, True), (image, False))]
    first, second = (torch.nn.functional.pad(part, (0, keys - part.shape[1])) for part in parts)
    return first, second
