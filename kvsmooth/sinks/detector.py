"""What every sink detector is: options, what it needs to see, when it is known, and a score that grows with sink-likeness."""

from abc import ABC, abstractmethod
from typing import ClassVar

from jaxtyping import Bool, Float
from torch import Tensor

from kvsmooth.sinks.positions import without_padding
from kvsmooth.sinks.view import View

KNOWN = ("prompt", "before", "step", "later")
"""When a score is known: with the prompt; before the token's attention; at its step, after its attention; only from later queries."""


class Detector(ABC):
    """A definition of an attention sink; subclasses are frozen dataclasses of their options.

    Padding never fires; it scores 0 (`ColumnProduct` in logs: -inf), which is no rank: leave it out before ranking.

    Attributes
    ----------
    name : the detector's name in `SINKS`
    needs : names of the parts of `View` that it reads
    known : one of `KNOWN`; all but "later" can drive `KVSmooth(score=...)`
    unit : of the score
    threshold : a token is called a sink above it, in the way that the detector says; None where the source ranks only
    """

    name: ClassVar[str]
    needs: ClassVar[frozenset[str]]
    known: ClassVar[str]
    unit: ClassVar[str]

    @property
    def threshold(self) -> float | None:
        """None where a definition has no other."""
        return None

    @abstractmethod
    def __call__(self, seen: View) -> Float[Tensor, "layer row #head token"]:
        """Scores, the higher the more sink-like; by query head, by key/value head, or one for all heads."""

    def fires(self, seen: View) -> Bool[Tensor, "layer row #head token"]:
        """Which tokens are sinks by the definition's own threshold.

        Raises
        ------
        ValueError : the definition has no threshold
        """
        if self.threshold is None:
            raise ValueError(f"{type(self).__name__}.threshold must be a number to tell sinks from others; got None: use ranks.")
        return without_padding(self(seen) > self.threshold, seen)
