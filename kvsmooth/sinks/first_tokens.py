"""Sinks by position alone: the first tokens of a text, whatever they are."""

from dataclasses import dataclass
from typing import ClassVar

from jaxtyping import Float
from torch import Tensor

from kvsmooth.integers import whole
from kvsmooth.sinks.detector import Detector
from kvsmooth.sinks.positions import ordinals, without_padding
from kvsmooth.sinks.view import View


@dataclass(frozen=True)
class FirstTokens(Detector):
    """1 for the first visible positions of a row, 0 for all others, the same for every layer and head.

    Attention rows are needed for their sizes only. Where a layer's cache drops old tokens, the count starts at the oldest one it still
    holds. While decoding the score is 0 from the `n_sink`-th token on, and as `KVSmooth.score` it ranks nothing.

    Source: StreamingLLM (arXiv 2309.17453), which keeps four first tokens in the cache.

    Parameters
    ----------
    n_sink : how many, >= 1
    """

    n_sink: int = 4
    threshold: ClassVar[float] = 0.5
    name: ClassVar[str] = "first_tokens"
    needs: ClassVar[frozenset[str]] = frozenset({"probabilities"})
    known: ClassVar[str] = "prompt"
    unit: ClassVar[str] = "1"

    def __post_init__(self) -> None:
        if not whole(self.n_sink) or self.n_sink < 1:
            raise ValueError(f"FirstTokens.n_sink must be a positive integer; got {self.n_sink!r}.")

    def __call__(self, seen: View) -> Float[Tensor, "layer row 1 token"]:
        """1 for the first `n_sink` visible positions, else 0."""
        first = (ordinals(seen) < self.n_sink).to(seen.probabilities.dtype)
        return without_padding(first[None, :, None].repeat(len(seen.probabilities), 1, 1, 1), seen)


if __name__ == "__main__":
    from kvsmooth.sinks.toy import draw

    draw(FirstTokens())
