"""VTI: what each layer's feed-forward part gives is turned a little towards a direction from hallucinated to correct captions."""

import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor
from torch.nn.functional import normalize

from kvsmooth.baselines.directions import checked_directions
from kvsmooth.baselines.method import Method, of_depth
from kvsmooth.baselines.site import Site
from kvsmooth.baselines.steered import Steered
from kvsmooth.errors import Unsupported

SHARE = 0.1


@dataclass(frozen=True, eq=False)
class VTI(Method):
    """Turns what the feed-forward parts give, of every token in every pass: x <- |x| norm(norm(x) + 0.1 alpha norm(d_l)).

    Source: Liu et al., ICLR 2025, "Reducing hallucinations via latent space steering" (visual and textual intervention); the authors' code,
    its textual part. `kvsmooth.baselines.directions.text_directions` makes d of pairs of captions.

    Parameters
    ----------
    directions : d, "layer width", or the file of it that `save_directions` wrote
    alpha : strength; 0 changes nothing, below 0 the direction is the other one
    layers : decoder layers, from 0; None is all
    """

    name: ClassVar[str] = "vti"
    cost: ClassVar[str] = "nothing to speak of, once the directions are made"
    texts: ClassVar[tuple[str, ...]] = ("directions",)
    sources: ClassVar[Mapping[str, str]] = {
        "directions": "given: from 50 to 70 pairs of captions in the code",
        "alpha": "code: command line; up to 0.9 elsewhere, untuned for any model but LLaVA-1.5",
        "layers": "code: all",
    }

    directions: Tensor | str | os.PathLike[str] | None = None
    alpha: float = 0.8
    layers: Iterable[int] | None = None

    def __post_init__(self) -> None:
        if self.directions is not None:
            object.__setattr__(self, "directions", checked_directions(self.directions, "VTI.directions"))
        self.check_number("alpha")
        self.freeze_integers()

    @property
    def neutral(self) -> bool:
        """Whether nothing is turned."""
        return self.alpha == 0

    def parts(self, site: Site) -> Iterable[AbstractContextManager[Any]]:
        """The turned feed-forward parts."""
        layers = of_depth(self.layers, range(site.depth), site.depth, "VTI.layers")
        if self.neutral:
            return (Steered(site, layers, lambda layer, states: states, neutral=True)(),)
        shape = (site.depth, site.decoder.config.hidden_size)
        if not isinstance(self.directions, Tensor):
            raise Unsupported(
                "vti.directions must be given, a tensor or its file: kvsmooth.baselines.directions.text_directions(model, pairs) makes it "
                "of pairs of captions; got none."
            )
        if tuple(self.directions.shape) != shape:
            raise Unsupported(
                f"vti.directions must be {shape[0]} layers of {shape[1]} numbers for this decoder; got {list(self.directions.shape)}: make "
                "them with this very model."
            )
        pushes = (SHARE * self.alpha * normalize(self.directions, dim=-1)).to(next(site.decoder.parameters()).device)
        return (Steered(site, layers, lambda layer, states: pushes[layer].to(states.device))(),)
