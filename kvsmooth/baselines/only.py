"""ONLY: logits against those of one layer's attention that is cut to some heads and passes the last layer's feed-forward block alone."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from kvsmooth.baselines.contrast import plausible
from kvsmooth.baselines.logits import LogitChange, Pass
from kvsmooth.baselines.method import Method
from kvsmooth.baselines.shortcut import Shortcut
from kvsmooth.baselines.site import Site
from kvsmooth.errors import Unsupported


@dataclass(frozen=True)
class ONLY(Method):
    """Compares the logits l with those, l', of a shortcut from one layer's attention to the head: adds l' where both agree, else subtracts.

    With d = sum |softmax(l) - softmax(l')|: l + together l' where d < gamma, else (1 + alpha) l - alpha l', among plausible tokens. The
    shortcut, at the newest token of `layer`: attention weights above mean + standard deviation are dropped, of the text and of the image
    apart; heads whose ratio of entropies, text to image, is below the mean of the heads are dropped too; the output passes the last
    layer's norms and feed-forward block with 0.2 of that layer's input, and the head with 0.5 of the model's own last state. Source: Wan
    et al., ICCV 2025; the authors' code.

    Parameters
    ----------
    together : weight of l' where both agree, >= 0
    alpha : weight of the contrast where they do not, >= 0; together = 0 with alpha = 0 and beta = 0 changes nothing
    gamma : distance below which they agree, 0 to 2
    beta : plausibility, in [0, 1]: tokens below beta times the likeliest are left out
    layer : whose attention is cut, from 0, below the last
    """

    name: ClassVar[str] = "only"
    cost: ClassVar[str] = "one layer's newest attention row once more, one feed-forward block, the head once more"
    sources: ClassVar[Mapping[str, str]] = {
        "together": "code",
        "alpha": "code",
        "gamma": "code: 0.25 for captions, 0.2 for questions of yes and no, 0.1 on some command lines",
        "beta": "code: 0.1; 0.4 for MME",
        "layer": "code",
    }

    together: float = 3.0
    alpha: float = 1.0
    gamma: float = 0.25
    beta: float = 0.1
    layer: int = 0

    def __post_init__(self) -> None:
        self.check_number("together", least=0)
        self.check_number("alpha", least=0)
        self.check_number("gamma", least=0, most=2)
        self.check_number("beta", least=0, most=1)
        self.check_whole("layer", least=0)

    @property
    def neutral(self) -> bool:
        """Whether neither a sum, a contrast nor a constraint is left."""
        return self.together == 0 and self.alpha == 0 and self.beta == 0

    def parts(self, site: Site) -> Iterable[AbstractContextManager[Any]]:
        """The shortcut, and the change of the logits."""
        if self.layer >= site.depth - 1:
            raise Unsupported(f"ONLY.layer must lie below the last of {site.depth} layers; got {self.layer}.")
        shortcut = Shortcut(site, self.layer, self.neutral)

        def change(logits: Float[Tensor, "row token"], at: Pass) -> Float[Tensor, "row token"]:
            other = shortcut.logits(at.kept)
            if other is None:
                return logits
            distance = (logits.softmax(-1) - other.softmax(-1)).abs().sum(-1, keepdim=True)
            agree = distance < self.gamma
            # the share of steps and rows at which both agree
            at.kept.measure("agree", agree)
            changed = torch.where(agree, logits + self.together * other, (1 + self.alpha) * logits - self.alpha * other)
            return plausible(changed, logits, self.beta)

        return (shortcut(), LogitChange(site, change, self.neutral, counts=False)())
