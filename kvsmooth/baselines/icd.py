"""ICD: logits against those of the same prompt with a disturbing instruction in it."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor

from kvsmooth.baselines.branch import Branch
from kvsmooth.baselines.contrasting import Contrasting
from kvsmooth.baselines.logits import LogitChange, Pass
from kvsmooth.baselines.prompts import disturbed
from kvsmooth.baselines.site import Site
from kvsmooth.errors import Unsupported


@dataclass(frozen=True)
class ICD(Contrasting):
    """Contrasts the logits with those of a branch that was told to be confused: (1 + alpha) l - alpha l', among plausible tokens.

    The instruction stands behind the image, before the text's own. Source: Wang et al., ACL Findings 2024; the authors' code, which is of
    InstructBLIP and hands the instruction to the Q-Former too. That a LLaVA reads it in its text is a variant of ours.

    Parameters
    ----------
    instruction : token ids of the disturbing instruction, such as those of "You are a confused object detector."
    alpha : weight of the contrast, >= 0
    beta : plausibility, in [0, 1]: tokens below beta times the likeliest are left out; alpha = 0 with beta = 0 changes nothing
    """

    name: ClassVar[str] = "icd"
    cost: ClassVar[str] = "a second forward pass and a second cache"
    sources: ClassVar[Mapping[str, str]] = {
        "instruction": "given: ids depend on the tokenizer; the code has five texts",
        "alpha": "code: 1, or 0.5",
        "beta": "code",
    }

    instruction: Iterable[int] = ()
    alpha: float = 1.0
    beta: float = 0.1

    def __post_init__(self) -> None:
        tokens = tuple(self.instruction)
        if not all(isinstance(token, int) and not isinstance(token, bool) and token >= 0 for token in tokens):
            raise ValueError(f"ICD.instruction must be token ids; got {self.instruction!r}.")
        object.__setattr__(self, "instruction", tokens)
        self.check_contrast()

    def parts(self, site: Site) -> Iterable[AbstractContextManager[Any]]:
        """The change of the logits."""
        if not (self.instruction or self.neutral):
            raise Unsupported(
                'icd.instruction must hold the token ids of an instruction, as tokenizer("You are confused.").input_ids; got none.'
            )
        branch = Branch(site, disturbed(site, tuple(self.instruction)))

        def change(logits: Float[Tensor, "row token"], at: Pass) -> Float[Tensor, "row token"]:
            return self.against(logits, branch.logits(at))

        return (LogitChange(site, change, self.neutral)(),)
