"""Skip-\\n: newline tokens are never said, since what follows a paragraph's end is more often made up."""

import math
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
class SkipNewline(Method):
    """Takes their probability from newline tokens, at each step, and leaves it to all others.

    l_v + ln(1 - strength) for the tokens v. Source: Han et al. 2024, "Skip \\n", which keeps the model from saying them.

    Parameters
    ----------
    tokens : ids of newline tokens; `newline_tokens(tokenizer)` finds them
    strength : share of their probability that is taken, in [0, 1]; 0 changes nothing. Ours; 1, never, in the paper
    """

    name: ClassVar[str] = "skip_newline"
    cost: ClassVar[str] = "nothing to speak of"
    sources: ClassVar[Mapping[str, str]] = {"tokens": "given: ids depend on the tokenizer", "strength": "paper: 1"}

    tokens: Iterable[int] = ()
    strength: float = 1.0

    def __post_init__(self) -> None:
        tokens = tuple(self.tokens)
        if not all(isinstance(token, int) and not isinstance(token, bool) and token >= 0 for token in tokens):
            raise ValueError(f"SkipNewline.tokens must be token ids; got {self.tokens!r}.")
        object.__setattr__(self, "tokens", tokens)
        self.check_number("strength", least=0, most=1)

    @property
    def neutral(self) -> bool:
        """Whether nothing is taken."""
        return self.strength == 0

    def parts(self, site: Site) -> Iterable[AbstractContextManager[Any]]:
        """The change of the newline tokens' logits."""
        if not (self.tokens or self.neutral):
            raise Unsupported(
                "skip_newline.tokens must hold the ids of newline tokens, as newline_tokens(tokenizer) of kvsmooth.baselines.skip_newline; "
                "got none."
            )
        return (LogitChange(site, self._change, self.neutral)(),)

    def _change(self, logits: Float[Tensor, "row token"], at: Pass) -> Float[Tensor, "row token"]:
        tokens = torch.tensor(tuple(self.tokens), device=logits.device)
        if max(self.tokens) >= logits.shape[1]:
            raise Unsupported(f"skip_newline.tokens must lie below {logits.shape[1]}, the tokens of this model; got {max(self.tokens)}.")
        taken = math.log1p(-self.strength) if self.strength < 1 else -math.inf
        return logits.index_add(1, tokens, logits.new_full((len(logits), len(tokens)), taken))


def newline_tokens(tokenizer: Any) -> tuple[int, ...]:
    """Ids of all tokens whose text holds a line's end, alone or within more."""
    return tuple(token for token in range(len(tokenizer)) if "\n" in tokenizer.decode([token]))
