"""How the newest state and the one before it are mixed: the paper's moving average, and controls that keep one half of what it does.

States are "layer row kv channel", rates broadcast over them; lengths and directions are those of each key/value head by itself. Every mix
is a bit-exact no-op at rate 0.
"""

import random
from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from kvsmooth.errors import Unsupported
from kvsmooth.measures import TINY, ema


class Mix(ABC):
    """A mix, and what it remembers of one decoding run, for the keys, the values or the outputs of some layers.

    Parameters
    ----------
    shape, device : of the states, "layer row kv channel"
    seeds : one text a layer, for mixes that draw

    Attributes
    ----------
    name : the mix's name in `MIXES`
    """

    name: ClassVar[str]

    def __init__(self, shape: tuple[int, ...], device: torch.device, seeds: tuple[str, ...]):
        self.seeds = seeds

    @abstractmethod
    def __call__(
        self, newest: Float[Tensor, "*state"], reference: Float[Tensor, "*state"], rate: Float[Tensor, "..."]
    ) -> Float[Tensor, "*state"]:
        """The newest state's new content."""

    def reference(self, previous: Float[Tensor, "*state"]) -> Float[Tensor, "*state"]:
        """What the newest state is mixed with: the previous token's state, or what stands for it."""
        return previous

    def remember(self, reference: Float[Tensor, "*state"], kept: Float[Tensor, "*state"]) -> None:
        """Take this token's state, smoothed or raw as the method says, for later tokens; nothing where those read the cache."""
        return None

    def reorder(self, rows: Int[Tensor, " row"]) -> None:
        """Row i goes on as what row rows[i] was; rows are the second dimension."""
        return None

    def keep(self, rows: Int[Tensor, " kept"]) -> None:
        """Only these rows go on; nothing where no row has a state of its own."""
        return None


class Ema(Mix):
    """(1 - rate) newest + rate previous. Source: KVSmooth (arXiv 2602.04268)."""

    name: ClassVar[str] = "ema"

    def __call__(
        self, newest: Float[Tensor, "*state"], reference: Float[Tensor, "*state"], rate: Float[Tensor, "..."]
    ) -> Float[Tensor, "*state"]:
        """The moving average."""
        return ema(newest, reference, rate)


class NormPreserving(Mix):
    """The moving average's direction with the newest state's own norm: does the turn do it, or the shrinking?"""

    name: ClassVar[str] = "norm_preserving"

    def __call__(
        self, newest: Float[Tensor, "*state"], reference: Float[Tensor, "*state"], rate: Float[Tensor, "..."]
    ) -> Float[Tensor, "*state"]:
        """The average, stretched; the newest state where the average vanishes and has no direction."""
        average = ema(newest, reference, rate)
        length = norm(average)
        return torch.where(length > TINY, average * (norm(newest) / length.clamp_min(TINY)), newest)


class ShrinkOnly(Mix):
    """The newest state's direction with the moving average's norm: the other half, as near to pure shrinking as the average is."""

    name: ClassVar[str] = "shrink_only"

    def __call__(
        self, newest: Float[Tensor, "*state"], reference: Float[Tensor, "*state"], rate: Float[Tensor, "..."]
    ) -> Float[Tensor, "*state"]:
        """The newest state, shrunk (or stretched, where the average is longer)."""
        return newest * (norm(ema(newest, reference, rate)) / norm(newest).clamp_min(TINY))


class RandomDirection(Mix):
    """The newest state plus a random vector as long as the moving average's change: the same disturbance, to nowhere in particular.

    Every layer draws by itself, from a seed that only the method's `mix_seed`, the layer and the part (keys, values or output) decide, a
    number for each place of a row in the batch. Every sequence batch begins the same draws again: vary `mix_seed` between batches whose
    noise must be independent.
    """

    name: ClassVar[str] = "random_direction"

    def __init__(self, shape: tuple[int, ...], device: torch.device, seeds: tuple[str, ...]):
        super().__init__(shape, device, seeds)
        self.generators = [torch.Generator().manual_seed(random.Random(seed).getrandbits(32)) for seed in seeds]
        self.places = torch.arange(shape[1])
        self.batch = shape[1]

    def __call__(
        self, newest: Float[Tensor, "*state"], reference: Float[Tensor, "*state"], rate: Float[Tensor, "..."]
    ) -> Float[Tensor, "*state"]:
        """The newest state, disturbed."""
        if torch.compiler.is_compiling():
            raise Unsupported('KVSmooth.mix="random_direction" draws numbers, which a compiled step cannot; run the model uncompiled.')
        # drawn on the CPU, so that every device and grouping of layers sees the same numbers
        shape = (self.batch, *newest.shape[2:])
        drawn = torch.stack([torch.randn(shape, generator=generator) for generator in self.generators])[:, self.places].to(newest)
        return newest + drawn * (norm(ema(newest, reference, rate) - newest) / norm(drawn))

    def keep(self, rows: Int[Tensor, " kept"]) -> None:
        """Each row keeps the numbers of its place in the whole batch."""
        self.places = self.places[rows.cpu()]


class RunningMean(Ema):
    """The moving average with the mean of all earlier generated states (and the last prompt token's) in the previous one's place.

    With previous="raw" the mean is of raw states. With rope="before" the mean is turned on by one position at each step, so that it is
    the mean as if before rotation.
    """

    name: ClassVar[str] = "running_mean"

    def __init__(self, shape: tuple[int, ...], device: torch.device, seeds: tuple[str, ...]):
        super().__init__(shape, device, seeds)
        self.mean = torch.zeros(shape, device=device)
        self.steps = torch.zeros(1, device=device)

    def reference(self, previous: Float[Tensor, "*state"]) -> Float[Tensor, "*state"]:
        """The mean so far; at the first step the previous token's state."""
        return torch.where(self.steps == 0, previous, self.mean)

    def remember(self, reference: Float[Tensor, "*state"], kept: Float[Tensor, "*state"]) -> None:
        """Take the newest state into the mean; `reference` is the mean so far, turned on where keys are."""
        # n states are in the mean before the n-th step, the last prompt token's the first of them
        self.steps.add_(1)
        self.mean.copy_(reference + (kept - reference) / (self.steps + 1))

    def reorder(self, rows: Int[Tensor, " row"]) -> None:
        """Means follow their beams."""
        self.mean.copy_(self.mean.index_select(1, rows.to(self.mean.device)))

    def keep(self, rows: Int[Tensor, " kept"]) -> None:
        """Means of those that go on."""
        self.mean = self.mean.index_select(1, rows.to(self.mean.device))


def norm(states: Float[Tensor, "*state channel"]) -> Float[Tensor, "*state 1"]:
    """Length of each head's vector."""
    length: Tensor = torch.linalg.vector_norm(states, dim=-1, keepdim=True)
    return length


MIXES: dict[str, type[Mix]] = {mix.name: mix for mix in (Ema, NormPreserving, ShrinkOnly, RandomDirection, RunningMean)}
