"""TAME: attention scores sharpened by what the queries and the keys of a layer amount to."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kvsmooth.baselines.biased import Attended
from kvsmooth.baselines.door import changed_attention
from kvsmooth.baselines.method import Method, of_depth
from kvsmooth.baselines.real import real_keys, real_queries, real_tokens
from kvsmooth.baselines.site import Site
from kvsmooth.decoding.refusals import option
from kvsmooth.errors import Unsupported

LITTLE = 1e-7


@dataclass(frozen=True)
class TAME(Method):
    """Multiplies the attention scores of every query, before the mask, by (1 + gamma / ln tr QQ') (1 + gamma / ln tr KK').

    In all passes: Q holds the queries of the pass, K all keys that the layer holds, a trace is the mean over heads of the sum of squared
    norms. Source: Tang et al., ICLR 2025, "Intervening anchor token" (TAME); the authors' code. Quirks, reproduced: both factors fall below
    1, and below 0, where a trace is below 1, and have a pole where it is 1; the query's factor of a decode step is of one token.

    Parameters
    ----------
    gamma : >= 0; 0 changes nothing
    layers : decoder layers, from 0; None is all
    """

    name: ClassVar[str] = "tame"
    cost: ClassVar[str] = "norms of the newest query and of all keys"
    sources: ClassVar[Mapping[str, str]] = {"gamma": "code", "layers": "code: all"}

    gamma: float = 0.8
    layers: Iterable[int] | None = None

    def __post_init__(self) -> None:
        self.check_number("gamma", least=0)
        self.freeze_integers()

    @property
    def neutral(self) -> bool:
        """Whether scores are multiplied by 1."""
        return self.gamma == 0

    def refuse(self, module: torch.nn.Module, given: Mapping[str, Any]) -> None:
        """Refuse prompts in chunks."""
        if option(module, given, "prefill_chunk_size") is not None:
            raise Unsupported(f"{self.name} sums over all queries of a prompt in one pass; leave prefill_chunk_size out.")

    def parts(self, site: Site) -> Iterable[AbstractContextManager[Any]]:
        """The attention of scaled queries."""
        return (_sharpened(self, site, of_depth(self.layers, range(site.depth), site.depth, "TAME.layers")),)

    def factor(self, states: Float[Tensor, "row head position channel"], real: Bool[Tensor, "row position"]) -> Float[Tensor, " row"]:
        """1 + gamma / ln tr, of the real positions of each row."""
        norms = states.float().square().sum(-1).masked_fill(~real[:, None], 0.0)
        return 1 + self.gamma / torch.log(norms.sum(-1).mean(1) + LITTLE)


@contextmanager
def _sharpened(method: TAME, site: Site, layers: tuple[int, ...]) -> Iterator[None]:
    with changed_attention(site, lambda base: _Sharpening(method, site, layers, base).attend):
        yield


class _Sharpening:
    def __init__(self, method: TAME, site: Site, layers: tuple[int, ...], base: Callable[..., Any]):
        self.method, self.site, self.layers, self.base = method, site, frozenset(layers), base

    def attend(self, module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **kwargs: Any) -> Attended:
        """Attention output "row query head channel" and, where the function found gives them, weights."""
        following, layer = self.site.following, int(module.layer_idx)
        kept = following.kept()
        if kept is not None and layer in self.layers:
            if layer == max(self.layers):
                following.acted()
            if not self.method.neutral:
                query = self._scaled(query, key)
        result: Attended = self.base(module, query, key, value, attention_mask, **kwargs)
        return result

    @torch.no_grad()
    def _scaled(self, query: Tensor, key: Tensor) -> Tensor:
        following, stream = self.site.following, self.site.following.present
        real, seen = real_tokens(self.site, len(query), query.device), stream.start + stream.fed
        of_queries = self.method.factor(query, real_queries(real, query.shape[2], seen))
        of_keys = self.method.factor(key, real_keys(real, key.shape[2], seen))
        kept = following.kept()
        if kept is not None and following.decoding:
            kept.measure("query_factor", of_queries)
            kept.measure("key_factor", of_keys)
        return (query * (of_queries * of_keys)[:, None, None, None]).to(query.dtype)
