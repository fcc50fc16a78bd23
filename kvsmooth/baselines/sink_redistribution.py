"""VisAttnSink (VAR): attention on sinks, of heads that look at the image, handed over to the rest of the image."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kvsmooth.baselines.biased import Attended
from kvsmooth.baselines.columns import Columns, attention_scores, own_mask, prompt_groups, seen_columns
from kvsmooth.baselines.door import changed_attention
from kvsmooth.baselines.method import Method, of_depth
from kvsmooth.baselines.site import Site
from kvsmooth.decoding.refusals import option
from kvsmooth.errors import Unsupported
from kvsmooth.measures import TINY
from kvsmooth.sinks.channels import massive_channels
from kvsmooth.spans import PADDING


@dataclass(frozen=True)
class SinkRedistribution(Method):
    """Takes a share of the attention on sink tokens, in heads that look at the image, and gives it to image tokens that are no sinks.

    Sinks of a layer are prompt tokens whose hidden state at its input has |x_d| / rms(x) > tau in a sink channel d. For every query behind
    the image, a head is chosen if at least `visual` of its attention is on the image and at most `rho` of that on sinks; there, after the
    softmax, weights of sinks are multiplied by p, and what is freed goes to the image's other tokens in proportion to their weights.
    Source: Kang et al., ICLR 2025, "See what you are told"; the authors' code, whose p and rho are 1 minus the paper's.

    Parameters
    ----------
    p : factor of sinks, in [0, 1]; 1 changes nothing
    rho : largest share of the image's attention that is on sinks
    visual : least attention on the image
    tau : of sinks; none can exceed the root of the model's width
    channels : sink channels; None finds those of massive activations on each prompt (`kvsmooth.sinks.channels`)
    layers : decoder layers, from 0; None is all from the third to the last but one
    """

    name: ClassVar[str] = "sink_redistribution"
    cost: ClassVar[str] = "the newest attention row once more, with its own softmax"
    sources: ClassVar[Mapping[str, str]] = {
        "p": "code",
        "rho": "code",
        "visual": "code",
        "tau": "code: of models of width 4096 and 5120",
        "channels": "ours: the code lists two of each LLaMA",
        "layers": "code",
    }

    p: float = 0.6
    rho: float = 0.5
    visual: float = 0.2
    tau: float = 20.0
    channels: Iterable[int] | None = None
    layers: Iterable[int] | None = None

    def __post_init__(self) -> None:
        for name in ("p", "rho", "visual"):
            self.check_number(name, least=0, most=1)
        self.check_number("tau", least=0)
        self.freeze_integers("channels")
        self.freeze_integers()

    @property
    def neutral(self) -> bool:
        """Whether nothing is taken from sinks."""
        return self.p == 1

    def refuse(self, module: torch.nn.Module, given: Mapping[str, Any]) -> None:
        """Refuse prompts in chunks."""
        if option(module, given, "prefill_chunk_size") is not None:
            raise Unsupported(f"{self.name} finds its sinks on the whole prompt in one pass; leave prefill_chunk_size out.")

    def parts(self, site: Site) -> Iterable[AbstractContextManager[Any]]:
        """What finds the sinks, and the attention that takes from them."""
        layers = of_depth(self.layers, range(2, site.depth - 1), site.depth, "SinkRedistribution.layers")
        return (_redistributed(self, site, layers),)

    def sinks(self, hidden: Float[Tensor, "row position width"], seen: Bool[Tensor, "row position"]) -> Bool[Tensor, "row position"]:
        """Which tokens of a prompt are sinks of the layer with these inputs; padding is none."""
        hidden = hidden.float()
        over = hidden.abs() / hidden.square().mean(-1, keepdim=True).sqrt().clamp_min(TINY) > self.tau
        chosen = torch.zeros_like(hidden[:, 0], dtype=torch.bool)
        for row in range(len(hidden)):
            found = massive_channels(hidden[row][seen[row]]) if self.channels is None else self.channels
            chosen[row, list(found)] = True
        return (over & chosen[:, None]).any(-1) & seen


@contextmanager
def _redistributed(method: SinkRedistribution, site: Site, layers: tuple[int, ...]) -> Iterator[None]:
    at_work = _Redistributing(method, site, layers)
    with ExitStack() as stack:
        for layer in layers:
            stack.callback(site.decoder.layers[layer].register_forward_pre_hook(at_work.watch(layer), with_kwargs=True).remove)
        stack.enter_context(changed_attention(site, at_work.on, alone="computes the softmax of its layers itself"))
        yield


class _Redistributing:
    def __init__(self, method: SinkRedistribution, site: Site, layers: tuple[int, ...]):
        self.method, self.site, self.layers = method, site, frozenset(layers)
        self.base: Callable[..., Any]

    def on(self, base: Callable[..., Any]) -> Callable[..., Any]:
        """The attention function, on this one."""
        self.base = base
        return self.attend

    def watch(self, layer: int) -> Callable[..., None]:
        """Finds a layer's sinks while the prompt passes."""

        @torch.no_grad()
        def before(module: torch.nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
            following = self.site.following
            kept, stream = following.kept(), following.passed
            if kept is None or stream is None or following.decoding:
                return
            hidden = args[0] if args else kwargs["hidden_states"]
            groups = prompt_groups(self.site, stream, kept, len(hidden), hidden.device)
            if groups is None:
                return
            if hidden.shape[1] != groups.shape[1]:
                raise Unsupported(
                    f"{self.site.method} finds its sinks on the whole prompt in one pass; feed it at once, to an empty cache."
                )
            kept.rows[f"sinks_{layer}"] = self.method.sinks(hidden, groups.ne(PADDING))

        return before

    def attend(self, module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **kwargs: Any) -> Attended:
        """Attention output "row query head channel" and, where the function found gives them, weights."""
        layer: int = module.layer_idx
        output, weights = self.base(module, query, key, value, attention_mask, **kwargs)
        seen = seen_columns(self.site, "behind", query, key) if layer in self.layers else None
        kept = self.site.following.kept()
        if seen is None or kept is None:
            return output, weights
        if layer == max(self.layers):
            self.site.following.acted()
        if self.method.neutral:
            return output, weights
        queries, offset = seen.queries.shape[1], self._gone(key.shape[2])
        sinks = kept.rows[f"sinks_{layer}"][:, offset:]
        sinks = torch.nn.functional.pad(sinks, (0, key.shape[2] - sinks.shape[1]))
        scores = attention_scores(query[:, :, -queries:], key, kwargs) + own_mask(attention_mask, queries, key.shape[2], key.device)
        found, chosen = self._moved(scores.clamp_min(torch.finfo(scores.dtype).min).softmax(-1), sinks, seen)
        grouped = value.float().repeat_interleave(query.shape[1] // value.shape[1], 1)
        own = torch.where(chosen.transpose(1, 2)[..., None], (found @ grouped).transpose(1, 2).to(output.dtype), output[:, -queries:])
        if weights is not None:
            newest = torch.where(chosen[..., None], found.to(weights.dtype), weights[:, :, -queries:])
            weights = torch.cat((weights[:, :, :-queries], newest), 2)
        return torch.cat((output[:, :-queries], own), 1), weights

    def _gone(self, keys: int) -> int:
        stream = self.site.following.present
        return max(0, stream.start + stream.fed - keys)

    @torch.no_grad()
    def _moved(
        self, weights: Float[Tensor, "row head query key"], sinks: Bool[Tensor, "row key"], seen: Columns
    ) -> tuple[Float[Tensor, "row head query key"], Bool[Tensor, "row head query"]]:
        """New weights, and which heads they are for."""
        image, sink = seen.image[:, None, None], sinks[:, None, None]
        mass = (weights * image).sum(-1)
        on_sinks, rest = (weights * (image & sink)).sum(-1), (weights * (image & ~sink)).sum(-1)
        chosen = (mass >= self.method.visual) & (on_sinks <= self.method.rho * mass) & (rest > 0) & seen.queries[:, None]
        freed = (1 - self.method.p) * (weights * sink).sum(-1, keepdim=True)
        moved = torch.where(sink, self.method.p * weights, weights)
        moved = moved + freed * weights * (image & ~sink) / rest.clamp_min(TINY)[..., None]
        kept = self.site.following.kept()
        if kept is not None and self.site.following.decoding:
            # the share of heads that are chosen, and the attention that each query and head hands over
            kept.measure("heads", chosen.float())
            kept.measure("moved", freed[..., 0] * chosen)
        return moved, chosen
