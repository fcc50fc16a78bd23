"""SPARC: cached values of image tokens whose attention has just grown are raised, for good."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from kvsmooth.baselines.biased import Attended
from kvsmooth.baselines.columns import attention_scores, own_mask, prompt_groups
from kvsmooth.baselines.door import changed_attention
from kvsmooth.baselines.kept import Kept
from kvsmooth.baselines.method import Method, of_depth, scaled
from kvsmooth.baselines.site import Site
from kvsmooth.baselines.window import on_prompt
from kvsmooth.decoding.cache_slots import check_alias
from kvsmooth.errors import Unsupported
from kvsmooth.spans import IMAGE

AVERAGE, NEXT, NOW = "average", "selected_next", "selected_now"
TINY = torch.finfo(torch.float32).tiny


@dataclass(frozen=True)
class SPARC(Method):
    """Multiplies the cached values of image tokens by `alpha` after each step at which their attention grew by `tau` or more.

    With a_t the newest token's attention to the image in one layer, mean over heads, and e its average so far: where (a_t - e) / e >= tau
    the values of all layers are multiplied before the next step, and again at every later one that selects them; then
    e <- (1 - beta) a_t + beta e. The first e is the attention of the prompt's last token. Source: Jung et al. 2025, "Selective progressive
    attention recalibration"; the authors' code. Quirk, reproduced: beta weighs the old average, whose memory so is short.

    Parameters
    ----------
    alpha : factor, > 0; 1 changes nothing
    tau : growth that selects, a share
    beta : weight of the old average, in [0, 1]
    layer : that is measured, from 0; None is the same relative depth as 20 of 32
    """

    name: ClassVar[str] = "sparc"
    cost: ClassVar[str] = "the newest attention row of one layer once more"
    sources: ClassVar[Mapping[str, str]] = {
        "alpha": "code",
        "tau": "code: 1.5 for LLaVA-1.5, 4 for LLaVA-NeXT, 2 on its command line; untuned for any other model",
        "beta": "code",
        "layer": "code: 20 of 32; scaled by depth elsewhere, untuned",
    }

    alpha: float = 1.1
    tau: float = 1.5
    beta: float = 0.1
    layer: int | None = None

    def __post_init__(self) -> None:
        self.check_number("alpha", least=0)
        if self.alpha == 0:
            raise ValueError("SPARC.alpha must be above 0; got 0.")
        self.check_number("tau")
        self.check_number("beta", least=0, most=1)
        if self.layer is not None:
            self.check_whole("layer", least=0)

    @property
    def neutral(self) -> bool:
        """Whether values are multiplied by 1."""
        return self.alpha == 1

    def parts(self, site: Site) -> Iterable[AbstractContextManager[Any]]:
        """The attention that measures and multiplies."""
        chosen = None if self.layer is None else (self.layer,)
        (measured,) = of_depth(chosen, scaled(20, 21, site.depth)[:1], site.depth, "SPARC.layer")
        return (_recalibrated(self, site, measured),)


@contextmanager
def _recalibrated(method: SPARC, site: Site, measured: int) -> Iterator[None]:
    with changed_attention(site, lambda base: _Recalibrating(method, site, measured, base).attend):
        yield


class _Recalibrating:
    def __init__(self, method: SPARC, site: Site, measured: int, base: Callable[..., Any]):
        self.method, self.site, self.measured, self.base = method, site, measured, base

    def attend(self, module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **kwargs: Any) -> Attended:
        """Attention output "row query head channel" and, where the function found gives them, weights."""
        following, layer = self.site.following, int(module.layer_idx)
        kept, stream = following.kept(), following.passed
        if kept is not None and stream is not None and (following.decoding or stream.ready):
            seen = prompt_groups(self.site, stream, kept, len(query), query.device)
            if seen is not None:
                if layer == 0 and NEXT in kept.rows:
                    kept.rows[NOW] = kept.rows.pop(NEXT)
                offset = max(0, stream.start + stream.fed - key.shape[2])
                if following.decoding and NOW in kept.rows and not self.method.neutral:
                    self._multiply(layer, value, kept, offset)
                if layer == self.measured:
                    following.acted()
                    row = attention_scores(query[:, :, -1:], key, kwargs) + own_mask(attention_mask, 1, key.shape[2], key.device)
                    self._select(row.softmax(-1).mean((1, 2)), seen.eq(IMAGE), kept, offset)
        result: Attended = self.base(module, query, key, value, attention_mask, **kwargs)
        return result

    @torch.no_grad()
    def _multiply(self, layer: int, value: Tensor, kept: Kept, offset: int) -> None:
        cache = self.site.following.cache
        if cache is None:
            raise Unsupported("sparc edits the KV cache and this decode step has none; pass past_key_values to the model.")
        cached: Any = cache.layers[layer]
        check_alias(cached, cached.keys, value)
        selected = kept.rows[NOW][:, offset:]
        part = value[:, :, : selected.shape[1]]
        part.mul_(torch.where(selected, self.method.alpha, 1.0).to(value.dtype)[:, None, :, None])

    @torch.no_grad()
    def _select(self, attention: Tensor, image: Tensor, kept: Kept, offset: int) -> None:
        newest = on_prompt(attention, offset, image.shape[1]) * image
        average = kept.rows.get(AVERAGE)
        if average is None or not self.site.following.decoding:
            kept.rows[AVERAGE] = newest
            return
        grown = (newest - average) / average.clamp_min(TINY)
        kept.rows[NEXT] = selected = image & (grown >= self.method.tau)
        kept.rows[AVERAGE] = (1 - self.method.beta) * newest + self.method.beta * average
        # share of the image's tokens that are selected, and the image's attention in the measured layer
        kept.measure("selected", selected.sum(1) / image.sum(1))
        kept.measure("image_mass", newest.sum(1))
