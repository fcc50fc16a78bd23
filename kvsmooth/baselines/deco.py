"""DeCo: logits corrected by those of the earlier layer that is surest of a likely token."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kvsmooth.baselines.exits import Exits, check_places
from kvsmooth.baselines.logits import LogitChange, Pass
from kvsmooth.baselines.method import Method, scaled
from kvsmooth.baselines.site import Site


@dataclass(frozen=True)
class DeCo(Method):
    """Adds the logits of an earlier layer, weighted by how sure that layer is of a candidate.

    Candidates V are the nucleus of the last layer's distribution, at most `most` tokens. Over places m and v in V, (m*, v*) has the largest
    p_m(v), p_m the softmax of the head on the normed state; l + alpha p_m*(v*) l_m*, and -inf outside of V. Source: Wang et al., ICLR 2025;
    the authors' code, whose batches are of one row.

    Parameters
    ----------
    alpha : weight, >= 0; 0 with nucleus = 1 and most = 0 changes nothing
    layers : places, as indices of `hidden_states` (0 = embeddings); None is the same relative depth as 20 to 28 of 32
    nucleus : share of probability that V holds, in (0, 1], the crossing token included
    most : of tokens in V, 0 for no bound
    """

    name: ClassVar[str] = "deco"
    cost: ClassVar[str] = "the head once more for each place"
    sources: ClassVar[Mapping[str, str]] = {
        "alpha": "code; 0.5 or 0.6 in its README",
        "layers": "code: 20 to 28 for LLaVA-1.5-7B, 15 to 24 for InstructBLIP; scaled by depth elsewhere, untuned",
        "nucleus": "code",
        "most": "code",
    }

    alpha: float = 0.6
    layers: Iterable[int] | None = None
    nucleus: float = 0.9
    most: int = 20

    def __post_init__(self) -> None:
        self.check_number("alpha", least=0)
        self.freeze_integers()
        self.check_number("nucleus", least=0, most=1)
        if self.nucleus == 0:
            raise ValueError("DeCo.nucleus must be above 0; got 0.")
        self.check_whole("most", least=0)

    @property
    def neutral(self) -> bool:
        """Whether nothing is added and every token is a candidate."""
        return self.alpha == 0 and self.nucleus == 1 and self.most == 0

    def parts(self, site: Site) -> Iterable[AbstractContextManager[Any]]:
        """The watched layers, and the change of the logits."""
        places = scaled(20, 29, site.depth) if self.layers is None else self.layers
        exits = Exits(site, check_places(places, site.depth, "DeCo.layers"), normed=True)

        def change(logits: Float[Tensor, "row token"], at: Pass) -> Float[Tensor, "row token"]:
            early, kept = exits.logits(), candidates(logits, self.nucleus, self.most)
            sure = early.softmax(-1).masked_fill(~kept, 0.0).amax(-1)  # place row
            weight, chosen = sure.max(0)
            added = early[chosen, torch.arange(len(logits), device=logits.device)]
            return (logits + self.alpha * weight[:, None] * added).masked_fill(~kept, -torch.inf)

        return (exits(), LogitChange(site, change, self.neutral)())


def candidates(logits: Float[Tensor, "row token"], nucleus: float, most: int) -> Bool[Tensor, "row token"]:
    """The likeliest tokens up to and with the one at which their sum reaches `nucleus`, at most `most` (0: no bound)."""
    probabilities, order = logits.softmax(-1).sort(-1, descending=True)
    kept = probabilities.cumsum(-1) - probabilities < nucleus
    if most:
        kept[:, most:] = False
    return torch.zeros_like(kept).scatter(1, order, kept)
