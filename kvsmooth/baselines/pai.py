"""PAI: attention scores of the image raised by a share of their size, and guidance by the prompt without its image."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

from jaxtyping import Float
from torch import Tensor

from kvsmooth.baselines.biased import ScoreBias
from kvsmooth.baselines.branch import Branch
from kvsmooth.baselines.columns import Columns
from kvsmooth.baselines.contrast import plausible
from kvsmooth.baselines.logits import LogitChange, Pass
from kvsmooth.baselines.method import Method, of_depth
from kvsmooth.baselines.prompts import blind
from kvsmooth.baselines.site import Site


@dataclass(frozen=True)
class PAI(Method):
    """Raises the newest token's attention scores of the image by a share of their absolute value.

    Of the prompt's last token and at every decode step, in `layers`, before the softmax: A_j <- A_j + alpha |A_j| for image columns j.
    Source: Liu et al., ECCV 2024, "Paying more attention to image"; the authors' code.

    Parameters
    ----------
    alpha : share of |A_j| that is added, >= 0; 0 changes nothing
    layers : decoder layers, from 0; None is all but the first two
    prompt : the prompt's last token is dealt with too, as in the authors' code without guidance; their code with guidance leaves it out
    guidance : gamma of out = gamma (l - l') + l', with log-probabilities l' of the prompt without its image, among tokens that are at least
        `threshold` times as likely as the likeliest; 1 is no guidance, and runs no second branch
    threshold : of the guidance, in [0, 1]
    """

    name: ClassVar[str] = "pai"
    cost: ClassVar[str] = "the newest attention row once more; with guidance a second forward pass on the text alone, and its cache"
    sources: ClassVar[Mapping[str, str]] = {
        "alpha": "code: command line; values by model are not in it, so untuned",
        "layers": "code: 2 up to the last of 32",
        "prompt": "code",
        "guidance": "code: off by default; with it 2 on the command line, 1.1 in its README",
        "threshold": "code",
    }

    alpha: float = 0.2
    layers: Iterable[int] | None = None
    prompt: bool = True
    guidance: float = 1.0
    threshold: float = 0.1

    def __post_init__(self) -> None:
        self.check_number("alpha", least=0)
        self.check_flag("prompt")
        self.check_number("guidance", least=0)
        self.check_number("threshold", least=0, most=1)
        self.freeze_integers()

    @property
    def neutral(self) -> bool:
        """Whether nothing is added and nothing guides."""
        return self.alpha == 0 and self.guidance == 1

    def parts(self, site: Site) -> Iterable[AbstractContextManager[Any]]:
        """The bias of the image's columns, and the guidance."""
        layers = of_depth(self.layers, range(min(2, site.depth - 1), site.depth), site.depth, "PAI.layers")
        bias = ScoreBias(site, frozenset(layers), self._bias, "last" if self.prompt else "none", self.alpha == 0)
        return (bias(),) if self.guidance == 1 else (bias(), self._guided(site))

    def _guided(self, site: Site) -> AbstractContextManager[Any]:
        branch = Branch(site, blind(site))

        def change(logits: Float[Tensor, "row token"], at: Pass) -> Float[Tensor, "row token"]:
            seen, unseen = logits.log_softmax(-1), branch.logits(at).log_softmax(-1)
            return plausible(self.guidance * (seen - unseen) + unseen, seen, self.threshold)

        return LogitChange(site, change, counts=False)()

    def _bias(self, layer: int, scores: Float[Tensor, "row head query key"], columns: Columns) -> Float[Tensor, "row head query key"]:
        return self.alpha * scores.abs().masked_fill(~columns.image[:, None, None], 0.0)
