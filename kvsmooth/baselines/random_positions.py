"""PAI with random positions at equal mass: what PAI would give the image goes to drawn columns of the text instead."""

import random
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from kvsmooth.baselines.biased import ScoreBias
from kvsmooth.baselines.columns import Columns
from kvsmooth.baselines.method import Method, of_depth
from kvsmooth.baselines.site import Site

HALF = 1 << 31
"""Columns whose number lies below it are drawn; numbers lie below 2 HALF."""
MOST = 1 - 1e-6
"""Of a row's attention, what the drawn columns are raised to at most."""
HIDDEN = torch.finfo(torch.float16).min / 2
"""Scores below it are of columns that the mask hides: no additive mask, of whatever type, hides with less."""


@dataclass(frozen=True)
class RandomPositions(Method):
    """Raises attention to random columns of the text, by as much as PAI would raise that to the image.

    At PAI's queries, in its layers, before the softmax: with w = softmax(A) and w' = softmax(A + alpha |A| on image columns), of A behind
    the mask, PAI moves D = sum_image w' - sum_image w to the image. Here b is added to the scores of a set R of visible columns that are no
    image's, b = logit(r + D) - logit(r), r = sum_R w, so that R gets D; D and b are each head's own. r + D is bounded by 1 - 10^-6. Nothing
    is added where D is not above 0, nor where R is empty, which it is only where no text is visible.

    R is drawn once for each layer: about half of the columns, by the seed, the layer, and a column's place from the end of the prompt on,
    so that padding does not change the draw, and no step does. Where none of the visible ones is drawn, R is one of them. No paper's: the
    control that tells attention to the image from attention moved. The receipts `drawn_mass` and `drawn_mass_without` are sums over R.

    Parameters
    ----------
    alpha : PAI's, >= 0, whose D is moved; 0 changes nothing
    layers : decoder layers, from 0; None is all but the first two
    prompt : the prompt's last token is dealt with too
    seed : of the draw, >= 0
    """

    name: ClassVar[str] = "random_positions"
    cost: ClassVar[str] = "the newest attention row once more, with its own softmaxes"
    sources: ClassVar[Mapping[str, str]] = {
        "alpha": "a control of ours: PAI's",
        "layers": "a control of ours: PAI's",
        "prompt": "a control of ours: PAI's",
        "seed": "a control of ours",
    }

    alpha: float = 0.2
    layers: Iterable[int] | None = None
    prompt: bool = True
    seed: int = 0

    def __post_init__(self) -> None:
        self.check_number("alpha", least=0)
        self.check_flag("prompt")
        self.check_whole("seed", least=0)
        self.freeze_integers()

    @property
    def neutral(self) -> bool:
        """Whether nothing is moved."""
        return self.alpha == 0

    def parts(self, site: Site) -> Iterable[AbstractContextManager[Any]]:
        """The bias of the drawn columns."""
        layers = of_depth(self.layers, range(min(2, site.depth - 1), site.depth), site.depth, "RandomPositions.layers")

        def bias(layer: int, scores: Float[Tensor, "row head query key"], columns: Columns) -> Float[Tensor, "row head query key"]:
            numbers = draw(self.seed, layer, _places(site, scores))
            image = columns.image[:, None, None]
            drawn = chosen(numbers, (scores > HIDDEN) & ~image)
            added = raised(scores, image, drawn, self.alpha)
            _measure(site, scores, added, drawn)
            return added

        return (ScoreBias(site, frozenset(layers), bias, "last" if self.prompt else "none", self.neutral, masked=True)(),)


def draw(seed: int, layer: int, places: Int[Tensor, " key"]) -> Int[Tensor, " key"]:
    """A number from 0 to 2 HALF - 1 for each place, the same whatever places stand beside it.

    Mixed by the finalizer of MurmurHash3 (32 bits).

    Parameters
    ----------
    places : counted from the end of the prompt: below 0 in it
    """
    low = 2 * HALF - 1
    mixed = (places + random.Random(f"random_positions {seed} {layer}").getrandbits(32)) & low
    for shift, factor in ((16, 0x85EBCA6B), (13, 0xC2B2AE35)):
        mixed = ((mixed ^ (mixed >> shift)) * factor) & low
    return mixed ^ (mixed >> 16)


def chosen(numbers: Int[Tensor, " key"], free: Bool[Tensor, "*dims key"]) -> Bool[Tensor, "*dims key"]:
    """The free columns whose number lies below HALF; where there is none, the one of the lowest number."""
    lowest = numbers.expand(free.shape).masked_fill(~free, 2 * HALF).amin(-1, keepdim=True)
    return free & (numbers <= lowest.clamp_min(HALF - 1))


def raised(
    scores: Float[Tensor, "row head query key"],
    image: Bool[Tensor, "row 1 1 key"],
    drawn: Bool[Tensor, "row head query key"],
    alpha: float,
) -> Float[Tensor, "row head query key"]:
    """What is added to scores behind the mask so that the drawn columns gain what PAI would give the image; 0 elsewhere."""
    seen = image & (scores > HIDDEN)
    moved = _mass((scores + alpha * scores.abs()).where(seen, scores), seen) - _mass(scores, seen)
    inside, outside = (scores.masked_fill(~part, -torch.inf).logsumexp(-1, keepdim=True) for part in (drawn, ~drawn))
    wanted = (_mass(scores, drawn) + moved).clamp_max(MOST)
    # logit(r) from sums of exponentials: exact also where r has no digits left beside 0 or 1
    more = (wanted.logit() - (inside - outside)).clamp_min(0.0)
    return more.where((moved > 0) & drawn, torch.zeros((), device=scores.device))


def _mass(scores: Float[Tensor, "row head query key"], columns: Bool[Tensor, "row head query key"]) -> Float[Tensor, "row head query 1"]:
    return scores.softmax(-1).masked_fill(~columns, 0.0).sum(-1, keepdim=True)


def _places(site: Site, scores: Float[Tensor, "row head query key"]) -> Int[Tensor, " key"]:
    """Of the columns, counted from the end of the prompt; a sliding layer has dropped those before the last of the key axis."""
    stream, keys = site.following.passed, scores.shape[-1]
    if stream is None:
        raise RuntimeError("places are asked for in a pass that is not followed.")
    dropped = max(0, stream.start + stream.fed - keys)
    return torch.arange(keys, device=scores.device) + (dropped - stream.start - stream.prompt)


def _measure(
    site: Site,
    scores: Float[Tensor, "row head query key"],
    added: Float[Tensor, "row head query key"],
    drawn: Bool[Tensor, "row head query key"],
) -> None:
    kept = site.following.kept()
    if kept is not None and site.following.decoding:
        for name, logits in (("drawn_mass_without", scores), ("drawn_mass", scores + added)):
            kept.measure(name, _mass(logits, drawn)[:, :, -1])
