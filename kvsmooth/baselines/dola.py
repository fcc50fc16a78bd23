"""DoLa: log-probabilities against those of the earlier layer whose distribution is farthest from the last."""

import math
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from kvsmooth.baselines.exits import Exits, check_places
from kvsmooth.baselines.logits import LogitChange, Pass
from kvsmooth.baselines.method import Method
from kvsmooth.baselines.site import Site

REMOVED = -1000.0


@dataclass(frozen=True)
class DoLa(Method):
    """Contrasts the last layer's log-probabilities with those of a premature layer, chosen anew at each step.

    s = log softmax(l) - log softmax(l_m), with m the candidate of largest Jensen-Shannon divergence from l; tokens whose probability is
    below `relative_top` times the likeliest's get -1000. The head reads premature states without the last norm. Source: Chuang et al.,
    ICLR 2024; the authors' code. Quirk, reproduced: their divergence is the mean over tokens of KL(M || p), arguments in reverse order.

    Parameters
    ----------
    relative_top : in [0, 1]; 0 keeps every token
    layers : candidates, as indices of `hidden_states` (0 = embeddings), below the number of layers; or `band`
    band : "low" or "high" half of the layers, every second one, where `layers` is None
    normed : the head reads premature states through the last norm; False as the code
    strength : factor of the contrasted log-probabilities, >= 0; 0 with relative_top = 0 changes nothing. Ours; 1 in the paper
    """

    name: ClassVar[str] = "dola"
    cost: ClassVar[str] = "the head once more for each candidate layer"
    sources: ClassVar[Mapping[str, str]] = {
        "relative_top": "code",
        "layers": "code",
        "band": "code: 0 to 14 or 16 to 30 of 32, every second; scaled by depth elsewhere, untuned. Captions: mostly low",
        "normed": "code",
        "strength": "paper: 1",
    }

    relative_top: float = 0.1
    layers: Iterable[int] | None = None
    band: str = "low"
    normed: bool = False
    strength: float = 1.0

    def __post_init__(self) -> None:
        self.check_number("relative_top", least=0, most=1)
        self.freeze_integers()
        self.check_choice("band", ("low", "high"))
        self.check_flag("normed")
        self.check_number("strength", least=0)

    @property
    def neutral(self) -> bool:
        """Whether neither a contrast nor a constraint is left."""
        return self.strength == 0 and self.relative_top == 0

    def parts(self, site: Site) -> Iterable[AbstractContextManager[Any]]:
        """The watched layers, and the change of the logits."""
        places = every_second(self.band, site.depth) if self.layers is None else self.layers
        exits = Exits(site, check_places(places, site.depth, "DoLa.layers"), self.normed)

        def change(logits: Float[Tensor, "row token"], at: Pass) -> Float[Tensor, "row token"]:
            early = exits.logits()
            chosen = farthest(logits, early)
            premature = early[chosen, torch.arange(len(logits), device=logits.device)]
            last = logits.log_softmax(-1)
            contrasted = last - self.strength * premature.log_softmax(-1)
            if self.relative_top == 0:
                return contrasted
            return contrasted.masked_fill(last < last.amax(1, keepdim=True) + math.log(self.relative_top), REMOVED)

        return (exits(), LogitChange(site, change, self.neutral)())


def every_second(band: str, depth: int) -> range:
    """Every second place of the lower or the upper half of a decoder's layers."""
    half = depth // 2
    return range(0, max(half, 1), 2) if band == "low" else range(half, depth, 2)


def farthest(logits: Float[Tensor, "row token"], early: Float[Tensor, "place row token"]) -> Int[Tensor, " row"]:
    """For each row, the place with the largest divergence, as the authors' code computes it.

    With M the mean of both distributions: half of mean_v M (ln M - ln p) + mean_v M (ln M - ln q).
    """
    last, premature = logits.log_softmax(-1), early.log_softmax(-1)
    mean = (last.exp() + premature.exp()) / 2
    divergence = (mean * (mean.clamp_min(torch.finfo(mean.dtype).tiny).log() - (last + premature) / 2)).mean(-1)
    return divergence.argmax(0)
