"""FarSight: every query has registers beside its keys, which take a part of its attention and give nothing back."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from kvsmooth.baselines.biased import Attended
from kvsmooth.baselines.columns import attention_scores, own_mask
from kvsmooth.baselines.door import changed_attention
from kvsmooth.baselines.method import Method, of_depth
from kvsmooth.baselines.real import places, real_tokens
from kvsmooth.baselines.site import Site
from kvsmooth.decoding.refusals import option
from kvsmooth.errors import Unsupported


@dataclass(frozen=True)
class FarSight(Method):
    """Adds registers to the softmax of every query, in all passes: their scores fall with distance, their values are zero.

    Register d = 1, 2, ... of query i in head h has the score -d r, r = sigma (1 - fading u_i) + slope_h, with u_i the query's place among
    the prompt's tokens from 0 to 1, and 1 behind them, and slope_h = 2^(-8 h / heads) for h = 1, 2, .... With R = sum_d e^(-d r) and Z the
    sum of the exponentials of the row's own scores, the attention's output is Z / (Z + R) times what it was. Source: Tang et al.,
    CVPR 2025, "Seeing far and clearly" (attention registers); the authors' patch, whose registers are the places of later tokens in the
    upper triangle of the causal mask. It reads the whole text anew for each token, as its newest token has no later ones, and nothing would
    happen to it. Here a query has registers from the moment it is fed, as many for each, so that a cache can be kept.

    Parameters
    ----------
    strength : factor of R, >= 0; 0 changes nothing. Ours; 1 in the paper
    registers : of a query, > 0. Beyond about 20 their scores are too low to count
    sigma : decay of a register's score with its distance, > 0; a smaller one takes more
    fading : share of sigma that is lost from the prompt's first token to its last, in [0, 1)
    slopes : heads decay faster by a slope of their own
    layers : decoder layers, from 0; None is all
    """

    name: ClassVar[str] = "farsight"
    cost: ClassVar[str] = "the attention row once more"
    sources: ClassVar[Mapping[str, str]] = {
        "strength": "paper: 1",
        "registers": "ours: the code has one for each later token, and no cache",
        "sigma": "code: ln 256 / ln 1024",
        "fading": "code: half of the decay falls by half",
        "slopes": "code: True",
        "layers": "code: all",
    }

    strength: float = 1.0
    registers: int = 256
    sigma: float = math.log(256) / math.log(1024)
    fading: float = 0.25
    slopes: bool = True
    layers: Iterable[int] | None = None

    def __post_init__(self) -> None:
        self.check_number("strength", least=0)
        self.check_whole("registers", least=1)
        self.check_number("sigma", least=0)
        self.check_number("fading", least=0, most=1)
        if self.sigma == 0 or self.fading == 1:
            raise ValueError(f"FarSight.sigma must be above 0 and fading below 1; got {self.sigma} and {self.fading}.")
        self.check_flag("slopes")
        self.freeze_integers()

    @property
    def neutral(self) -> bool:
        """Whether registers take nothing."""
        return self.strength == 0

    def refuse(self, module: torch.nn.Module, given: Mapping[str, Any]) -> None:
        """Refuse prompts in chunks."""
        if option(module, given, "prefill_chunk_size") is not None:
            raise Unsupported(f"{self.name} asks where in the whole prompt a token stands; leave prefill_chunk_size out.")

    def parts(self, site: Site) -> Iterable[AbstractContextManager[Any]]:
        """The attention with registers."""
        return (_registered(self, site, of_depth(self.layers, range(site.depth), site.depth, "FarSight.layers")),)

    def mass(self, place: Float[Tensor, "row query"], heads: int) -> Float[Tensor, "row head query"]:
        """Logarithm of R times its factor, for queries at these places from 0 to 1."""
        slopes = 2.0 ** (-8 * torch.arange(1, heads + 1, device=place.device) / heads) * self.slopes
        decay = self.sigma * (1 - self.fading * place)[:, None] + slopes[:, None]
        return math.log(self.strength) - decay + torch.log1p(-torch.exp(-decay * self.registers)) - torch.log1p(-torch.exp(-decay))


@contextmanager
def _registered(method: FarSight, site: Site, layers: tuple[int, ...]) -> Iterator[None]:
    at_work = _Registering(method, site, layers)
    with changed_attention(site, at_work.on, alone="divides by a softmax of its own"):
        yield


class _Registering:
    def __init__(self, method: FarSight, site: Site, layers: tuple[int, ...]):
        self.method, self.site, self.layers = method, site, frozenset(layers)
        self.base: Callable[..., Any]

    def on(self, base: Callable[..., Any]) -> Callable[..., Any]:
        """The attention function, on this one."""
        self.base = base
        return self.attend

    def attend(self, module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **kwargs: Any) -> Attended:
        """Attention output "row query head channel" and, where the function found gives them, weights."""
        following, layer = self.site.following, int(module.layer_idx)
        result: Attended = self.base(module, query, key, value, attention_mask, **kwargs)
        kept = following.kept()
        if kept is None or layer not in self.layers:
            return result
        if kwargs.get("s_aux") is not None:
            raise Unsupported(f"{self.method.name} does not know attention with learned sink logits; use a model without them.")
        if layer == max(self.layers):
            following.acted()
        if self.method.neutral:
            return result
        stays = self._stays(query, key, attention_mask, kwargs)
        if following.decoding:
            # the share of attention that registers take
            kept.measure("registers_share", 1 - stays[..., -1])
        output, weights = result
        changed = (output * stays.transpose(1, 2)[..., None]).to(output.dtype)
        return changed, None if weights is None else (weights * stays[..., None]).to(weights.dtype)

    @torch.no_grad()
    def _stays(self, query: Tensor, key: Tensor, mask: Tensor | None, kwargs: dict[str, Any]) -> Float[Tensor, "row head query"]:
        """The share of each query's attention that its keys keep."""
        stream, (rows, heads, queries, _) = self.site.following.present, query.shape
        real = real_tokens(self.site, rows, query.device)
        last = (real.sum(1, keepdim=True) - 1).clamp_min(1)
        place = (places(real, queries, stream.start + stream.fed) / last).clamp(0, 1)
        scores = attention_scores(query, key, kwargs) + own_mask(mask, queries, key.shape[2], key.device)
        return torch.sigmoid(scores.logsumexp(-1) - self.method.mass(place, heads))
