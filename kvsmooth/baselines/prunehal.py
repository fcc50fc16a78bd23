"""PruneHal: image tokens that draw the least attention are left out for good, whenever the attention to the image has sunk."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kvsmooth.baselines.biased import Attended
from kvsmooth.baselines.columns import attention_scores, own_mask, prompt_groups
from kvsmooth.baselines.door import changed_attention
from kvsmooth.baselines.kept import Kept
from kvsmooth.baselines.method import Method
from kvsmooth.baselines.site import Site
from kvsmooth.baselines.window import on_prompt
from kvsmooth.spans import IMAGE

STAYING, SEEN, REFERENCE, TIMES, STEPS = "staying", "seen", "reference", "times", "steps"


@dataclass(frozen=True)
class PruneHal(Method):
    """Leaves out, of each layer and key head, the image tokens with the least attention of the newest token: a share 1 - keep each time.

    At decode step `forced` in any case; later where at least a share `layers_below` of all layers has less attention on the image (mean
    over heads) than sqrt(keep) times what it had when tokens were last left out; at most `most` times. Of n tokens that a head still
    sees, floor(keep n) stay, those with the largest weights, mean over the query heads of the key head; positions stay as they are. The
    text goes on without them from the next step. Source: Sun et al. 2025 (arXiv 2510.19183, withdrawn from ICLR 2026); no code. Written
    from a description by others, so every value, and what it leaves open (which step is compared with, whose heads are meant), is untuned.
    Tokens are masked, not freed: what is said is the same.

    Parameters
    ----------
    keep : share that stays each time, in (0, 1]; 1 changes nothing
    layers_below : share of layers, in [0, 1]
    most : times, all together
    forced : decode step, from 1, at which tokens are left out in any case; 0 for none
    """

    name: ClassVar[str] = "prunehal"
    cost: ClassVar[str] = "the newest attention row once more"
    sources: ClassVar[Mapping[str, str]] = {
        "keep": "third party: 0.9; untuned",
        "layers_below": "third party: half; untuned",
        "most": "third party: 4; untuned",
        "forced": "third party: 2; untuned",
    }

    keep: float = 0.9
    layers_below: float = 0.5
    most: int = 4
    forced: int = 2

    def __post_init__(self) -> None:
        self.check_number("keep", least=0, most=1)
        if self.keep == 0:
            raise ValueError("PruneHal.keep must be above 0; got 0.")
        self.check_number("layers_below", least=0, most=1)
        self.check_whole("most", least=0)
        self.check_whole("forced", least=0)

    @property
    def neutral(self) -> bool:
        """Whether every token stays."""
        return self.keep == 1 or self.most == 0

    def parts(self, site: Site) -> Iterable[AbstractContextManager[Any]]:
        """The attention that measures and leaves out."""
        return (_pruned(self, site),)


@contextmanager
def _pruned(method: PruneHal, site: Site) -> Iterator[None]:
    with changed_attention(site, lambda base: _Pruning(method, site, base).attend):
        yield


class _Pruning:
    def __init__(self, method: PruneHal, site: Site, base: Callable[..., Any]):
        self.method, self.site, self.base = method, site, base

    def attend(self, module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **kwargs: Any) -> Attended:
        """Attention output "row query head channel" and, where the function found gives them, weights."""
        following, layer = self.site.following, int(module.layer_idx)
        kept, stream, mask = following.kept(), following.passed, attention_mask
        if kept is not None and stream is not None and following.decoding:
            groups = prompt_groups(self.site, stream, kept, len(query), query.device)
            if groups is not None:
                image = groups.eq(IMAGE)
                if not self.method.neutral:
                    mask = self._measured(layer, query, key, mask, kwargs, kept, image, max(0, stream.start + stream.fed - key.shape[2]))
                if layer == self.site.depth - 1:
                    following.acted()
                    if not self.method.neutral:
                        self._decide(kept, image)
        result: Attended = self.base(module, query, key, value, mask, **kwargs)
        return result

    @torch.no_grad()
    def _measured(
        self,
        layer: int,
        query: Tensor,
        key: Tensor,
        mask: Tensor | None,
        options: dict[str, Any],
        kept: Kept,
        image: Bool[Tensor, "row position"],
        gone: int,
    ) -> Tensor | None:
        """The mask without the tokens that were left out; None stays None while there are none."""
        heads, kv, keys = query.shape[1], key.shape[1], key.shape[2]
        staying = kept.rows.get(f"{STAYING}_{layer}")
        additive = own_mask(mask, 1, keys, key.device)
        if staying is None:
            staying = image[:, None].expand(-1, kv, -1)
        else:
            left_out = _on_keys(image[:, None] & ~staying, gone, keys).repeat_interleave(heads // kv, 1)[:, :, None]
            additive = additive.masked_fill(left_out, -torch.inf).clamp_min(torch.finfo(query.dtype).min)
            mask = additive.to(query.dtype)
        row = (attention_scores(query[:, :, -1:], key, options) + additive)[:, :, 0].softmax(-1)
        seen = on_prompt(row, gone, image.shape[1]).unflatten(1, (kv, -1)).mean(2)
        kept.rows[f"{SEEN}_{layer}"], kept.rows[f"{STAYING}_{layer}"] = seen * staying, staying
        kept.measure("image_mass", (seen * image[:, None]).sum(-1))
        kept.measure("kept", staying.sum(-1) / image.sum(1)[:, None])
        return mask

    @torch.no_grad()
    def _decide(self, kept: Kept, image: Bool[Tensor, "row position"]) -> None:
        layers = range(self.site.depth)
        mass = torch.stack([kept.rows[f"{SEEN}_{layer}"].sum(-1).mean(1) for layer in layers], 1)
        none = torch.zeros(len(image), device=image.device)
        steps, times = kept.rows.get(STEPS, none) + 1, kept.rows.get(TIMES, none)
        reference = kept.rows.get(REFERENCE, torch.zeros_like(mass))
        sunk = (mass < self.method.keep**0.5 * reference).float().mean(1) >= self.method.layers_below
        now = ((steps == self.method.forced) | (sunk & reference.any(1))) & (times < self.method.most)
        for layer in layers:
            name = f"{STAYING}_{layer}"
            chosen = most_seen(kept.rows.pop(f"{SEEN}_{layer}"), kept.rows[name], self.method.keep)
            kept.rows[name] = torch.where(now[:, None, None], chosen, kept.rows[name])
        kept.rows[STEPS], kept.rows[TIMES] = steps, times + now
        # without a forced step the first one is compared with
        begins = now | ((steps == 1) & (self.method.forced == 0))
        kept.rows[REFERENCE] = torch.where(begins[:, None], mass, reference)


def most_seen(
    seen: Float[Tensor, "row kv position"], staying: Bool[Tensor, "row kv position"], keep: float
) -> Bool[Tensor, "row kv position"]:
    """The share of the tokens that stay with the largest weights; of equal ones the first."""
    place = (-seen).masked_fill(~staying, torch.inf).argsort(dim=-1, stable=True).argsort(dim=-1)
    # in float64: 0.9 of 10 tokens are 9
    number = torch.floor(staying.sum(-1, keepdim=True).double() * keep + 1e-9)
    return staying & (place < number)


def _on_keys(flags: Bool[Tensor, "row kv position"], gone: int, keys: int) -> Bool[Tensor, "row kv key"]:
    flags = flags[..., gone : gone + keys]
    return torch.nn.functional.pad(flags, (0, keys - flags.shape[-1]))
