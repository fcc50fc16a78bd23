"""The repetition penalty of CTRL, as `generate` has it, for loops of one's own and for tables of methods."""

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
from kvsmooth.decoding.refusals import option
from kvsmooth.errors import Unsupported


@dataclass(frozen=True)
class RepetitionPenalty(Method):
    """Divides positive logits of tokens that prompt or text hold by `penalty`, and multiplies negative ones by it.

    Source: Keskar et al. 2019, "CTRL", section 4.1; what `generate(repetition_penalty=...)` does, but that padding counts as nothing.
    Under beam search `generate` penalises log-probabilities instead: beams are refused here.

    Parameters
    ----------
    penalty : 1, > 0; 1 changes nothing, above 1 repeats less
    """

    name: ClassVar[str] = "repetition_penalty"
    cost: ClassVar[str] = "nothing to speak of"
    sources: ClassVar[Mapping[str, str]] = {"penalty": "paper: CTRL, 1.2"}

    penalty: float = 1.2

    def __post_init__(self) -> None:
        self.check_number("penalty", least=0)
        if self.penalty == 0:
            raise ValueError("RepetitionPenalty.penalty must be above 0; got 0.")

    @property
    def neutral(self) -> bool:
        """Whether logits are divided by 1."""
        return self.penalty == 1

    def refuse(self, module: torch.nn.Module, given: Mapping[str, Any]) -> None:
        """Refuse beam search."""
        if (option(module, given, "num_beams") or 1) > 1:
            raise Unsupported("repetition_penalty does not serve beam search; use generate(repetition_penalty=...), which does it there.")

    def parts(self, site: Site) -> Iterable[AbstractContextManager[Any]]:
        """The change of the logits of tokens seen before."""
        return (LogitChange(site, self._change, self.neutral)(),)

    def _change(self, logits: Float[Tensor, "row token"], at: Pass) -> Float[Tensor, "row token"]:
        held, newest = at.kept.rows.get("held"), at.kwargs.get("input_ids")
        if held is None or not at.decoding:
            held = logits.new_zeros(logits.shape).bool()
            ids = [ids if mask is None else ids.where(mask[:, -ids.shape[1] :] != 0, ids[:, -1:]) for ids, mask in at.stream.ids]
            newest = torch.cat(ids, 1) if ids else None
        if newest is None:
            raise Unsupported("repetition_penalty needs the ids of prompt and text; got embeddings only: pass input_ids to the model.")
        newest = newest.repeat_interleave(len(logits) // len(newest), 0).to(logits.device)
        at.kept.rows["held"] = held = held.scatter(1, newest, True)
        penalised = torch.where(logits < 0, logits * self.penalty, logits / self.penalty)
        return torch.where(held, penalised, logits)
