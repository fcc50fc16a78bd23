"""AVISC: logits against those of an image of which only the tokens that draw attention are left."""

from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kvsmooth.baselines.branch import BatchPrompt, Branch
from kvsmooth.baselines.contrasting import Contrasting
from kvsmooth.baselines.logits import LogitChange, Pass
from kvsmooth.baselines.prompt_row import PromptRow
from kvsmooth.baselines.prompts import image_tokens
from kvsmooth.baselines.site import Site


@dataclass(frozen=True)
class AVISC(Contrasting):
    """Contrasts the logits with those of a branch that sees blind tokens alone: (1 + alpha) l - alpha l', among plausible tokens.

    Of the prompt's last token, mean over heads: the fewest layers that hold a share `gamma` of all layers' attention to the image; in
    their mean, image tokens at or above mean + deviations x standard deviation are blind. The branch reads zeros for the features of
    all other image tokens. Source: Woo et al., ACL Findings 2025, "Don't miss the forest for the trees"; the authors' code, whose image
    span is that of LLaVA-1.5 with one prompt.

    Parameters
    ----------
    alpha : weight of the contrast, >= 0
    beta : plausibility, in [0, 1]: tokens below beta times the likeliest are left out; alpha = 0 with beta = 0 changes nothing
    gamma : share of the attention to the image that the chosen layers hold, in [0, 1]; 0 chooses one layer
    deviations : standard deviations above the mean from which on a token is blind
    """

    name: ClassVar[str] = "avisc"
    cost: ClassVar[str] = "a second forward pass and a second cache; attention rows of the prompt's last token"
    sources: ClassVar[Mapping[str, str]] = {
        "alpha": "code: 2.5 for LLaVA-1.5, 3 for InstructBLIP, 1 on a command line; untuned for any other model",
        "beta": "code",
        "gamma": "code",
        "deviations": "paper: 1; 0.99 on the code's command line",
    }

    alpha: float = 2.5
    beta: float = 0.1
    gamma: float = 0.5
    deviations: float = 1.0

    def __post_init__(self) -> None:
        self.check_contrast()
        self.check_number("gamma", least=0, most=1)
        self.check_number("deviations")

    def parts(self, site: Site) -> Iterable[AbstractContextManager[Any]]:
        """What measures the prompt, and the change of the logits."""
        row = PromptRow(site)

        def change(logits: Float[Tensor, "row token"], at: Pass) -> Float[Tensor, "row token"]:
            branch = Branch(site, partial(self._blinded, site, row, at))
            return self.against(logits, branch.logits(at))

        changed = LogitChange(site, change, self.neutral)()
        return (changed,) if self.neutral else (row(), changed)

    def _blinded(self, site: Site, row: PromptRow, at: Pass, prompt: BatchPrompt) -> BatchPrompt:
        image = image_tokens(site, prompt)
        attention = row.take(at.kept)
        # a row for each beam, alike, side by side: one of each prompt's
        blind = blind_tokens(attention[:, :: attention.shape[1] // len(image)], image, self.gamma, self.deviations)
        # the share of the image's tokens that are blind
        at.kept.measure("blind", blind.sum(1) / image.sum(1))
        return replace(prompt, blank=image & ~blind)


def blind_tokens(
    attention: Float[Tensor, "layer row position"], image: Bool[Tensor, "row position"], gamma: float, deviations: float
) -> Bool[Tensor, "row position"]:
    """Image tokens that draw unusually much of an attention, in the layers that look at the image most."""
    seen = attention * image
    mass = seen.sum(-1)
    ordered, order = (mass / mass.sum(0)).sort(0, descending=True)
    chosen = torch.zeros_like(mass).scatter(0, order, (ordered.cumsum(0) - ordered < gamma).to(mass.dtype))
    chosen[order[0], torch.arange(len(image), device=mass.device)] = 1.0
    drawn = (seen * chosen[..., None]).sum(0) / chosen.sum(0)[:, None]
    number = image.sum(1, keepdim=True)
    mean = drawn.sum(1, keepdim=True) / number
    # a single token has no deviation, and stays
    deviation = ((drawn - mean).square() * image).sum(1, keepdim=True).div((number - 1).clamp_min(1)).sqrt()
    return image & (drawn >= mean + deviations * deviation)
