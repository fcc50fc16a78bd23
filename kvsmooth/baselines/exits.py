"""Early exits: what the head says of the newest token's states at earlier layers."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from kvsmooth.baselines.site import Site
from kvsmooth.errors import Unsupported


@dataclass(frozen=True)
class Exits:
    """Keeps the newest token's state at some places of the decoder during each pass.

    Parameters
    ----------
    places : indices of transformers' `hidden_states`: 0 is the embeddings, m the output of the m-th layer
    normed : the head reads the states through the decoder's last norm
    """

    site: Site
    places: tuple[int, ...]
    normed: bool
    _states: dict[int, Tensor] = field(default_factory=dict)

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """The layers are watched inside the block."""
        hooks = [self.site.decoder.layers[place].register_forward_pre_hook(self._keep(place), with_kwargs=True) for place in self.places]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
            self._states.clear()

    def _keep(self, place: int) -> Callable[..., None]:
        def before(layer: torch.nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
            if not self.site.following.branching:
                self._states[place] = (args[0] if args else kwargs["hidden_states"])[:, -1:].detach()

        return before

    def logits(self) -> Float[Tensor, "place row token"]:
        """The head's logits of the kept states, float32, in the order of `places`."""
        states = torch.stack([self._states[place] for place in self.places])
        if self.normed:
            states = self.site.final_norm(states)
        logits: Tensor = self.site.head(states)[:, :, -1].float()
        return logits


def check_places(places: Iterable[int], depth: int, option: str) -> tuple[int, ...]:
    """Indices of `hidden_states` of a decoder of `depth` layers, but for its last, which is the model's own.

    Raises
    ------
    Unsupported
    """
    chosen = tuple(places)
    if not chosen or max(chosen) >= depth:
        raise Unsupported(f"{option} must be places from 0 to {depth - 1} of this decoder of {depth} layers; got {chosen}.")
    return chosen
