"""Methods that turn what the feed-forward part of a layer gives, by hooks on it; and states from which their directions are made."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import normalize

from kvsmooth.baselines.site import Site
from kvsmooth.errors import Unsupported

Push: TypeAlias = Callable[[int, Tensor], Tensor | None]
"""What is added to the normalised states of a layer, float32, from their values; of a shape that broadcasts to theirs. None leaves them."""


@dataclass(frozen=True)
class Steered:
    """The stage of one block: x <- |x| norm(norm(x) + push) for each token's x that a feed-forward part gives, in all passes.

    Parameters
    ----------
    layers : of the decoder
    push : what is added
    neutral : nothing: states stay as they are, to the bit
    """

    site: Site
    layers: tuple[int, ...]
    push: Push
    neutral: bool = False

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """The states are turned inside the block."""
        hooks = []
        try:
            for layer in self.layers:
                hooks.append(feed_forward(self.site, layer).register_forward_hook(self._turn(layer)))
            yield
        finally:
            for hook in hooks:
                hook.remove()

    def _turn(self, layer: int) -> Callable[..., Any]:
        @torch.no_grad()
        def after(module: torch.nn.Module, args: object, output: Any) -> Any:
            if self.site.following.kept() is None:
                return output
            if layer == max(self.layers):
                self.site.following.acted()
            if self.neutral:
                return output
            # experts hand their router's scores on beside the states
            states: Tensor = output[0] if isinstance(output, tuple) else output
            push = self.push(layer, states.float())
            if push is None:
                return output
            turned = self._turned(states, push)
            return (turned, *output[1:]) if isinstance(output, tuple) else turned

        return after

    def _turned(self, states: Tensor, push: Tensor) -> Tensor:
        wide = states.float()
        turned = normalize(normalize(wide, dim=-1) + push, dim=-1) * wide.norm(dim=-1, keepdim=True)
        kept = self.site.following.kept()
        if kept is not None and self.site.following.decoding:
            # 1 minus the cosine between what the feed-forward part gave and what is made of it
            kept.measure("turned", 1 - torch.cosine_similarity(wide, turned, dim=-1))
        back: Tensor = turned.to(states.dtype)
        return back


def feed_forward(site: Site, layer: int) -> torch.nn.Module:
    """The module that ends the feed-forward part of a layer."""
    for name in ("mlp", "feed_forward", "fc2"):
        part = getattr(site.decoder.layers[layer], name, None)
        if isinstance(part, torch.nn.Module):
            return part
    raise Unsupported(
        f"{site.method} needs the feed-forward part of each layer; {type(site.decoder.layers[layer]).__name__} has none that is known."
    )


@contextmanager
def newest_states(decoder: Any) -> Iterator[list[Float[Tensor, "row width"]]]:
    """Collects, in the passes inside, the newest token's float32 state at the input of each layer, and at the output of the last one."""
    states: list[Tensor] = []

    def before(layer: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        states.append((args[0] if args else kwargs["hidden_states"])[:, -1].detach().float())

    def after(layer: torch.nn.Module, args: object, output: Any) -> None:
        states.append((output[0] if isinstance(output, tuple) else output)[:, -1].detach().float())

    hooks = [layer.register_forward_pre_hook(before, with_kwargs=True) for layer in decoder.layers]
    hooks.append(decoder.layers[-1].register_forward_hook(after))
    try:
        yield states
    finally:
        for hook in hooks:
            hook.remove()
