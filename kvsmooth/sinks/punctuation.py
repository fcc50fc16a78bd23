"""Semantic sinks: punctuation marks, which carry little meaning and collect attention. The token's id alone decides."""

import unicodedata
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from kvsmooth.integers import whole
from kvsmooth.sinks.detector import Detector
from kvsmooth.sinks.positions import without_padding
from kvsmooth.sinks.view import View


@dataclass(frozen=True)
class Punctuation(Detector):
    """1 for tokens of the list, 0 for all others, the same for every layer and head.

    Attention rows are needed for the number of layers only.

    Source: punctuation and function words among the sinks of vision-language models, Mirage (arXiv 2501.15269); full stops among
    the tokens with massive activations, Sun et al. (arXiv 2402.17762).

    Parameters
    ----------
    ids : token ids that count; `Punctuation.of(tokenizer)` collects those of punctuation
    """

    ids: tuple[int, ...] = ()
    threshold: ClassVar[float] = 0.5
    name: ClassVar[str] = "punctuation"
    needs: ClassVar[frozenset[str]] = frozenset({"tokens", "probabilities"})
    known: ClassVar[str] = "before"
    unit: ClassVar[str] = "1"

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", tuple(self.ids))
        if not self.ids:
            raise ValueError("Punctuation.ids must name token ids; got none: use Punctuation.of(tokenizer).")
        if not all(map(whole, self.ids)):
            raise ValueError(f"Punctuation.ids must be integers; got {next(one for one in self.ids if not whole(one))!r}.")

    @classmethod
    def of(cls, tokenizer: Any) -> "Punctuation":
        """The detector for every token of a transformers tokenizer that is punctuation (Unicode category P) and, at most, space."""
        special = set(tokenizer.all_special_ids)
        texts = ((token, tokenizer.decode([token]).strip()) for token in range(len(tokenizer)) if token not in special)
        return cls(tuple(token for token, text in texts if text and all(unicodedata.category(sign)[0] == "P" for sign in text)))

    def __call__(self, seen: View) -> Float[Tensor, "layer row 1 token"]:
        """1 where the token is in `ids`, else 0."""
        found = torch.isin(seen.tokens, torch.tensor(self.ids, device=seen.tokens.device)).float()
        return without_padding(found[None, :, None].repeat(len(seen.probabilities), 1, 1, 1), seen)


if __name__ == "__main__":
    from kvsmooth.sinks.toy import STOP, draw

    draw(Punctuation(ids=(STOP,)))
