"""SID: logits against those of a branch that keeps, from the third layer on, only the image tokens it attends to least."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor

from kvsmooth.baselines.branch import BatchPrompt, Branch
from kvsmooth.baselines.contrasting import Contrasting
from kvsmooth.baselines.least_seen import LeastSeen
from kvsmooth.baselines.logits import LogitChange, Pass
from kvsmooth.baselines.prompts import image_tokens
from kvsmooth.baselines.site import Site
from kvsmooth.errors import Unsupported


@dataclass(frozen=True)
class SID(Contrasting):
    """Contrasts the logits with those of a branch that sees the least attended image tokens: (1 + alpha) l - alpha l'.

    Among plausible tokens. In the branch, at each pass anew: the `rank` image tokens with the least of the newest token's attention in
    layer `layer` - 1, mean over heads, stay; the others are masked for every query in `layer` and above. Source: Huo et al., ICLR 2025,
    "Self-introspective decoding"; the authors' code. Quirk: its greedy decoding leaves the plausibility out, as beta = 0 does.

    Parameters
    ----------
    alpha : weight of the contrast, >= 0
    beta : plausibility, in [0, 1]: tokens below beta times the likeliest are left out; alpha = 0 with beta = 0 changes nothing
    rank : image tokens that the branch keeps; 0 keeps the same share of the image as 100 of 576
    layer : first layer of the branch that sees no other, from 1
    """

    name: ClassVar[str] = "sid"
    cost: ClassVar[str] = "a second forward pass and a second cache"
    sources: ClassVar[Mapping[str, str]] = {
        "alpha": "code: command line; 0.5 where none is passed",
        "beta": "code",
        "rank": "code: 100 of LLaVA-1.5's 576, 50 on the command line of one version; the same share elsewhere, untuned",
        "layer": "code",
    }

    alpha: float = 1.0
    beta: float = 0.1
    rank: int = 0
    layer: int = 2

    def __post_init__(self) -> None:
        self.check_contrast()
        self.check_whole("rank", least=0)
        self.check_whole("layer", least=1)

    def parts(self, site: Site) -> Iterable[AbstractContextManager[Any]]:
        """The attention of the branch, and the change of the logits."""
        if self.layer >= site.depth:
            raise Unsupported(f"SID.layer must lie below {site.depth}, the layers of this decoder; got {self.layer}.")
        least = LeastSeen(site, self.rank, self.layer)

        def change(logits: Float[Tensor, "row token"], at: Pass) -> Float[Tensor, "row token"]:
            def edit(prompt: BatchPrompt) -> BatchPrompt:
                image = image_tokens(site, prompt)
                self._check(int(image.sum(1).min()))
                least.begin(at, image, len(logits))
                return prompt

            with least.branch(at):
                other = Branch(site, edit).logits(at)
            return self.against(logits, other)

        changed = LogitChange(site, change, self.neutral)()
        return (changed,) if self.neutral else (least(), changed)

    def _check(self, tokens: int) -> None:
        """Refuse a branch that sees all that the text sees, whose contrast would change nothing."""
        if self.rank >= tokens or tokens == 1:
            raise Unsupported(f"sid.rank = {self.rank} keeps all of an image of {tokens} tokens, so that nothing is contrasted; pass less.")
