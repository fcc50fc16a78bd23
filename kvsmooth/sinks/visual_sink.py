"""Visual sinks: tokens, image tokens among them, whose hidden state is ruled by the channels of massive activations."""

from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kvsmooth.integers import whole
from kvsmooth.measures import TINY
from kvsmooth.sinks.detector import Detector
from kvsmooth.sinks.positions import without_padding
from kvsmooth.sinks.view import View


@dataclass(frozen=True)
class VisualSink(Detector):
    """phi(x): the largest |x_d| over the sink channels d, over the root mean square of the token's hidden state at the layer's input.

    phi cannot exceed the square root of the width D, so the published threshold of 20 is out of reach below 401 channels. phi^2 / D is the
    share of the state's energy in that channel, which means the same at every width: `energy` sets the threshold there.

    Source: Kang et al. (arXiv 2503.03321), phi with tau = 20 and two fixed channels of each model.

    Parameters
    ----------
    channels : numbers of the sink channels; None takes those found on the prompt of the row, layer by layer
        (`kvsmooth.sinks.channels.RULE`). Without any the score is 0
    threshold : tau, a token is a sink where phi exceeds it
    energy : in [0, 1), replaces `threshold` by this share of energy, sqrt(energy * D)
    """

    channels: tuple[int, ...] | None = None
    threshold: float | None = 20.0
    energy: float | None = None
    name: ClassVar[str] = "visual_sink"
    needs: ClassVar[frozenset[str]] = frozenset({"hidden", "prompt"})
    known: ClassVar[str] = "before"
    unit: ClassVar[str] = "1"

    def __post_init__(self) -> None:
        if self.channels is not None:
            object.__setattr__(self, "channels", tuple(self.channels))
            if not self.channels or not all(map(whole, self.channels)) or min(self.channels) < 0:
                raise ValueError(f"VisualSink.channels must be None or channel numbers from 0; got {self.channels}.")
        if self.energy is not None and not 0 <= self.energy < 1:
            raise ValueError(f"VisualSink.energy must lie in [0, 1); got {self.energy}.")

    def __call__(self, seen: View) -> Float[Tensor, "layer row 1 token"]:
        """phi, from 0 to sqrt(D); 0 for padding.

        Raises
        ------
        ValueError : the model has no such channels
        """
        hidden = seen.hidden.float()
        if self.channels is None:
            massive = seen.prompt.massive
        else:
            if max(self.channels) >= hidden.shape[-1]:
                raise ValueError(f"VisualSink.channels must lie below {hidden.shape[-1]}, the width of the model; got {self.channels}.")
            massive = torch.zeros_like(hidden[:, :, 0], dtype=torch.bool)
            massive[..., list(self.channels)] = True
        largest = (hidden.abs() * massive[:, :, None]).amax(-1)
        return without_padding((largest / hidden.square().mean(-1).sqrt().clamp_min(TINY))[:, :, None], seen)

    def fires(self, seen: View) -> Bool[Tensor, "layer row 1 token"]:
        """Which phi exceed the threshold.

        Raises
        ------
        ValueError : neither a threshold nor an energy is given
        """
        if self.energy is None:
            return super().fires(seen)
        return self(seen).square() > self.energy * seen.hidden.shape[-1]


if __name__ == "__main__":
    from kvsmooth.sinks.toy import draw

    draw(VisualSink())
