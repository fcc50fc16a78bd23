"""A number added to the logit of the end token: the cheapest way to say less."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from kvsmooth.baselines.logits import LogitChange, Pass
from kvsmooth.baselines.method import Method
from kvsmooth.baselines.site import Site
from kvsmooth.errors import Unsupported


@dataclass(frozen=True)
class EosBias(Method):
    """Adds `bias` to the logit of every end token, at each step.

    No paper's: a control. A method that only shortens captions must be compared with it, as fewer words hold fewer mistakes.

    Parameters
    ----------
    bias : logits; 0 changes nothing, above 0 texts end earlier, below later
    """

    name: ClassVar[str] = "eos_bias"
    cost: ClassVar[str] = "nothing to speak of"
    sources: ClassVar[Mapping[str, str]] = {"bias": "untuned: a control of ours"}

    bias: float = 1.0

    def __post_init__(self) -> None:
        self.check_number("bias")

    @property
    def neutral(self) -> bool:
        """Whether nothing is added."""
        return self.bias == 0

    def parts(self, site: Site) -> Iterable[AbstractContextManager[Any]]:
        """The change of the end tokens' logits."""
        return (LogitChange(site, self._change, self.neutral)(),)

    def _change(self, logits: Float[Tensor, "row token"], at: Pass) -> Float[Tensor, "row token"]:
        ends = at.stream.text.ends
        if not ends:
            raise Unsupported(
                "eos_bias needs an end token and neither this call nor the model's generation_config names one; set eos_token_id."
            )
        return logits.index_add(1, torch.tensor(ends, device=logits.device), logits.new_full((len(logits), len(ends)), self.bias))
