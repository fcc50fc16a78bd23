"""M3ID: logits against those of the prompt without its image, the more so the longer the text."""

import math
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from kvsmooth.baselines.branch import Branch
from kvsmooth.baselines.contrast import plausible
from kvsmooth.baselines.logits import LogitChange, Pass
from kvsmooth.baselines.method import Method
from kvsmooth.baselines.prompts import blind
from kvsmooth.baselines.site import Site


@dataclass(frozen=True)
class M3ID(Method):
    """Adds the difference of the log-probabilities with and without the image, with a weight that grows with the text.

    s = l + w_t (l - l'), w_t = exp(decay t) - 1 at the t-th token, from 1. Source: Favero et al., CVPR 2024; no official code.
    Quirk, reproduced: the weight is 6.4 at t = 100 and 22,000 at t = 500.

    Parameters
    ----------
    decay : per token, >= 0; 0 with beta = 0 changes nothing
    gate : "apc" leaves out tokens below beta times the likeliest, as the ports of others do; "paper" acts only where the likeliest token's
        probability is below `threshold`, and leaves no token out; "none" does neither
    beta : of gate="apc", in [0, 1]
    threshold : of gate="paper", in [0, 1]
    """

    name: ClassVar[str] = "m3id"
    cost: ClassVar[str] = "a second forward pass on the text alone, and its cache"
    sources: ClassVar[Mapping[str, str]] = {
        "decay": "paper: 0.02",
        "gate": "third party: the ports in the code of AVISC and ONLY",
        "beta": "third party: the same",
        "threshold": "untuned",
    }

    decay: float = 0.02
    gate: str = "apc"
    beta: float = 0.1
    threshold: float = 0.5

    def __post_init__(self) -> None:
        self.check_number("decay", least=0)
        self.check_number("beta", least=0, most=1)
        self.check_number("threshold", least=0, most=1)
        self.check_choice("gate", ("apc", "paper", "none"))

    @property
    def neutral(self) -> bool:
        """Whether neither a contrast nor a constraint is left."""
        return self.decay == 0 and (self.gate != "apc" or self.beta == 0)

    def parts(self, site: Site) -> Iterable[AbstractContextManager[Any]]:
        """The change of the logits."""
        branch = Branch(site, blind(site))

        def change(logits: Float[Tensor, "row token"], at: Pass) -> Float[Tensor, "row token"]:
            seen, unseen = logits.log_softmax(-1), branch.logits(at).log_softmax(-1)
            # the first token comes of the prompt, the next of the first decode step
            weight = math.expm1(self.decay * (1 + at.kept.steps))
            changed = seen + weight * (seen - unseen)
            if self.gate == "paper":
                unsure = seen.amax(1, keepdim=True) < (math.log(self.threshold) if self.threshold else -math.inf)
                return torch.where(unsure, changed, seen)
            return plausible(changed, seen, self.beta if self.gate == "apc" else 0.0)

        return (LogitChange(site, change, self.neutral)(),)
