"""AdaIAT: attention to what the model has written multiplied head by head, in layers where it is as low as at hallucinated objects."""

import os
from collections.abc import Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from kvsmooth.baselines.biased import ScoreBias
from kvsmooth.baselines.columns import Columns
from kvsmooth.baselines.method import Method, of_depth, scaled
from kvsmooth.baselines.site import Site
from kvsmooth.errors import Unsupported

PARTS = ("ratio", "real", "hallucinated")


@dataclass(frozen=True, eq=False)
class AdaIAT(Method):
    """Multiplies the newest token's attention weights of the generated text, where a layer gives it less than a threshold.

    At decode steps, in `layers`, after the softmax, then divided by the row's new sum: w_hj <- w_hj (1 + alpha (M_lh - 1)) for columns j
    behind the prompt, in rows with sum_h mean_j w_hj < t_l, t_l = f_l + beta (r_l - f_l). M_lh is how many times as much attention head h
    of layer l gives the generated text at real objects as at hallucinated ones; r_l and f_l are the sums over heads of the mean attention
    at the ones and the others. Source: Zhong et al., CVPR 2026; the authors' code. Differs: a factor below 0, where M is far below 1, is 0.

    Parameters
    ----------
    statistics : {"ratio": M "layer head", "real": r, "hallucinated": f}, or the file of it; `statistics_of` makes it
    alpha : >= 0; 0 changes nothing
    beta : where the threshold lies, 0 at hallucinated objects, 1 at real ones
    layers : decoder layers, from 0; None is the same relative depth as 5 to 17 of 32
    """

    name: ClassVar[str] = "adaiat"
    cost: ClassVar[str] = "the newest attention row once more, with its own softmax"
    texts: ClassVar[tuple[str, ...]] = ("statistics",)
    sources: ClassVar[Mapping[str, str]] = {
        "statistics": "given: the code has files of LLaVA-1.5-7B and Qwen2.5-VL",
        "alpha": "code: its script for LLaVA-1.5-7B; untuned for any other model",
        "beta": "code",
        "layers": "code: 5 to 17 of LLaVA-1.5-7B's 32; scaled by depth elsewhere, untuned",
    }

    statistics: Mapping[str, Any] | str | os.PathLike[str] | None = None
    alpha: float = 6.0
    beta: float = 0.5
    layers: Iterable[int] | None = None

    def __post_init__(self) -> None:
        if self.statistics is not None:
            object.__setattr__(self, "statistics", checked_statistics(self.statistics))
        self.check_number("alpha", least=0)
        self.check_number("beta")
        self.freeze_integers()

    @property
    def neutral(self) -> bool:
        """Whether weights are multiplied by 1."""
        return self.alpha == 0

    def parts(self, site: Site) -> Iterable[AbstractContextManager[Any]]:
        """The bias that is the same as the factors."""
        layers = of_depth(self.layers, scaled(5, 18, site.depth), site.depth, "AdaIAT.layers")
        found = {} if self.neutral else self._fitting(site)

        def bias(layer: int, scores: Float[Tensor, "row head query key"], columns: Columns) -> Float[Tensor, "row head query key"]:
            ratio, real, hallucinated = (found[part][layer].to(scores.device) for part in PARTS)
            written = columns.written[:, None, None]
            weights = scores.softmax(-1).masked_fill(~written, 0.0)
            given = (weights.sum(-1) / written.sum(-1).clamp_min(1)).sum(1)  # row query
            low = given < hallucinated + self.beta * (real - hallucinated)
            factor = (1 + self.alpha * (ratio - 1)).clamp_min(0).log()[None, :, None, None]
            return torch.where(written & low[:, None, :, None], factor, torch.zeros((), device=scores.device))

        return (ScoreBias(site, frozenset(layers), bias, neutral=self.neutral, about="written", masked=True)(),)

    def _fitting(self, site: Site) -> Mapping[str, Tensor]:
        shape = (site.depth, site.decoder.config.num_attention_heads)
        if not isinstance(self.statistics, Mapping):
            raise Unsupported(
                "adaiat.statistics must be given, or their file: statistics_of of kvsmooth.baselines.adaiat makes them of captions; got "
                "none."
            )
        if tuple(self.statistics["ratio"].shape) != shape:
            raise Unsupported(
                f"adaiat.statistics must be of {shape[0]} layers with {shape[1]} heads for this decoder; got "
                f"{list(self.statistics['ratio'].shape)}: make them with this very model."
            )
        device = next(site.decoder.parameters()).device
        return {part: values.to(device) for part, values in self.statistics.items()}


def statistics_of(real: Float[Tensor, "real layer head"], hallucinated: Float[Tensor, "other layer head"]) -> dict[str, Tensor]:
    """The statistics of a model, from the attention to the generated text at tokens of real and of hallucinated objects.

    Parameters
    ----------
    real, hallucinated : by token, the mean attention weight of the columns behind the prompt, as `attention_to_text` gives it
    """
    means = real.double().mean(0), hallucinated.double().mean(0)
    return {"ratio": (means[0] / means[1]).float(), "real": means[0].sum(1).float(), "hallucinated": means[1].sum(1).float()}


@torch.no_grad()
def attention_to_text(model: Any, inputs: Mapping[str, Any], prompt: int, places: Iterable[int]) -> Float[Tensor, "token layer head"]:
    """The mean attention weight that tokens of a caption give the generated text, themselves included.

    Parameters
    ----------
    model : with eager attention, as others hand no weights out
    inputs : of the model's forward pass, one row: prompt, image and caption
    prompt : number of the prompt's tokens
    places : of the tokens, counted from the prompt's first

    Raises
    ------
    ValueError : the model hands out no weights
    """
    maps = model(**inputs, output_attentions=True).attentions
    if not maps or any(one is None for one in maps):
        raise ValueError('attention_to_text.model must hand out its attention; call model.set_attn_implementation("eager") first.')
    rows = [torch.stack([one[0, :, place, prompt : place + 1].float().mean(-1) for one in maps]) for place in places]
    return torch.stack(rows).cpu()


def checked_statistics(given: Any) -> dict[str, Tensor]:
    """Statistics from a mapping, or from a file that `torch.save` wrote of one.

    Raises
    ------
    ValueError
    """
    if isinstance(given, str | os.PathLike):
        given = _read(Path(given))
    if not isinstance(given, Mapping) or set(given) != set(PARTS):
        raise ValueError(f"AdaIAT.statistics must hold {', '.join(PARTS)}; got {sorted(given) if isinstance(given, Mapping) else given!r}.")
    found = {part: torch.as_tensor(given[part]).detach().float().cpu() for part in PARTS}
    dims = [one.dim() for one in found.values()]
    if dims != [2, 1, 1] or len({len(one) for one in found.values()}) > 1 or not all(one.isfinite().all() for one in found.values()):
        shapes = [list(one.shape) for one in found.values()]
        raise ValueError(f'AdaIAT.statistics must be finite: ratio "layer head", real and hallucinated "layer"; got shapes {shapes}.')
    return found


def _read(path: Path) -> Any:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ValueError(f"AdaIAT.statistics: there is no file {path}; write one with torch.save(statistics_of(...), file).") from None
    except Exception as error:  # torch has many names for a damaged file
        raise ValueError(f"AdaIAT.statistics: {path} cannot be read ({type(error).__name__}); write it anew.") from None
