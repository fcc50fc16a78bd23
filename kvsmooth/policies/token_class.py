"""Rates that know what kind of token was written, and nothing else."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from kvsmooth.errors import Unsupported
from kvsmooth.policies.first_pass import FirstPass, check_first, digest
from kvsmooth.policies.policy import PolicySetting


@dataclass(frozen=True, eq=False)
class TokenClass:
    """The first pass's mean rate over tokens of the newest token's class, for each layer.

    If it does as well as the scores, the scores only told punctuation from words, say. Rows of the first pass need not be the rows
    decoded, and beams may use it. A class that the first pass did not write takes the layer's mean.

    Parameters
    ----------
    first : what the first pass applied
    tokens : ids of the tokens fed at the first pass's steps
    classes : number of its class, from 0, for each id of the vocabulary
    """

    first: FirstPass
    tokens: Int[Tensor, "step row"]
    classes: Int[Tensor, "id"]
    name: ClassVar[str] = "token_class"
    two_pass: ClassVar[bool] = True
    needs_tokens: ClassVar[bool] = True

    def __post_init__(self) -> None:
        steps, _, rows = self.first.rates.shape
        if self.tokens.shape != (steps, rows):
            raise ValueError(f'TokenClass.tokens must be "step row" = {(steps, rows)} as in first; got {tuple(self.tokens.shape)}.')
        if not self.first.steps.any():
            raise ValueError("TokenClass.first must hold a row of one step or more; got none.")
        if self.classes.dim() != 1 or not len(self.classes) or (self.classes < 0).any():
            raise ValueError('TokenClass.classes must be "id", a number from 0 for each token id; got another shape, or numbers below 0.')
        for part in ("tokens", "classes"):
            object.__setattr__(self, part, getattr(self, part).cpu())
        own = self.tokens[self.first.own]
        if not ((own >= 0) & (own < len(self.classes))).all():
            raise ValueError(f"TokenClass.tokens must be ids below {len(self.classes)}, the length of classes; got {int(own.max())}.")

    def table(self) -> Float[Tensor, "class layer"]:
        """Mean rate of each class and layer."""
        own = self.first.own
        rates = self.first.rates.transpose(1, 2)[own].double()
        of_token = self.classes[self.tokens[own]].long()
        total = torch.zeros(int(self.classes.max()) + 1, rates.shape[1], dtype=torch.float64).index_add(0, of_token, rates)
        count = of_token.bincount(minlength=len(total))[:, None]
        return torch.where(count > 0, total / count.clamp_min(1), rates.mean(0)).float()

    def start(self, setting: PolicySetting) -> "TokenClassRates":
        """The table of means."""
        check_first(self, setting, rows=False)
        return TokenClassRates(self.table(), self.classes, setting)

    def describe(self) -> dict[str, Any]:
        """The first pass, and digests of the rest."""
        return {"name": self.name, "first": self.first.describe(), "tokens": digest(self.tokens), "classes": digest(self.classes)}

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TokenClass) and self.describe() == other.describe()

    def __hash__(self) -> int:
        return hash((self.first, digest(self.tokens), digest(self.classes)))


class TokenClassRates:
    """The rate of the newest token's class."""

    def __init__(self, table: Float[Tensor, "class band"], classes: Int[Tensor, "id"], setting: PolicySetting):
        self.table = table[:, list(setting.places)].to(setting.device, torch.float32)
        self.classes = classes.to(setting.device).long()

    def push(self, scores: Float[Tensor, "layer row *head"], tokens: Int[Tensor, " row"] | None = None) -> Float[Tensor, "layer row *head"]:
        """The class's rate by layer and row."""
        if tokens is None:
            raise Unsupported("TokenClass needs the ids of the tokens that are fed; got embeddings only: pass input_ids to the model.")
        if not torch.compiler.is_compiling() and int(tokens.max()) >= len(self.classes):
            raise Unsupported(f"TokenClass.classes must number every token id; got {len(self.classes)} and a token {int(tokens.max())}.")
        rates = self.table[self.classes[tokens.to(self.classes.device)]].T
        return rates if scores.dim() == 2 else rates.unsqueeze(-1).expand_as(scores)

    def reorder(self, rows: Int[Tensor, " row"]) -> None:
        """A rate belongs to a token, and tokens come in their rows' order: nothing to move."""
