"""VISTA: feed-forward parts turned towards what the image adds to this very prompt, and logits mixed with those of late layers."""

import inspect
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cosine_similarity, normalize
from transformers import DynamicCache

from kvsmooth.baselines.bare import Bare
from kvsmooth.baselines.branch import BatchPrompt, Branch, refuse_chunks
from kvsmooth.baselines.columns import prompt_groups
from kvsmooth.baselines.exits import Exits, check_places
from kvsmooth.baselines.logits import LogitChange, Pass
from kvsmooth.baselines.method import Method, of_depth, scaled
from kvsmooth.baselines.prompts import blind
from kvsmooth.baselines.site import Site
from kvsmooth.baselines.steered import Steered, newest_states
from kvsmooth.errors import Unsupported

DIRECTIONS = "directions"


@dataclass(frozen=True)
class VISTA(Method):
    """Turns what the feed-forward parts give towards the image's share of the prompt, and mixes logits with those of late layers.

    d_l is the prompt's last state behind layer l, with its image minus without, in the plain model. For every token in every pass, prompt
    included: x <- |x| norm(norm(x) + y), y = strength (1 + max(0, cos(x, -d_l))) norm(d_l). Then l <- mix mean_m l_m + (1 - mix) l, l_m
    the head's logits of the states at `places`, without the last norm. Source: Li et al., ICML 2025, "The hidden life of tokens" (visual
    steering vector, self-logits augmentation); the authors' code. Their principal component of a single pair, which is rounding, is left
    out.

    Parameters
    ----------
    strength : lambda, >= 0; 0 turns nothing
    gated : states that point away from d are turned more; False is y = strength norm(d_l), the code's simple mode
    mix : share of the late layers' logits, in [0, 1]; 0 mixes nothing
    places : of these layers, as indices of `hidden_states` (0 = embeddings); None is the same relative depth as 26 to 31 of 32
    layers : that are turned, from 0; None is all
    """

    name: ClassVar[str] = "vista"
    cost: ClassVar[str] = "the head once more for each place; two more passes of each prompt, one without its image"
    sources: ClassVar[Mapping[str, str]] = {
        "strength": "code: its CHAIR script; 0.1 on its command line and for MMHal, 0.01 for POPE; untuned for any model but LLaVA-1.5",
        "gated": "code",
        "mix": "code",
        "places": "code: outputs of layers 25 to 30 of 32, from 0; scaled by depth elsewhere, untuned",
        "layers": "code: all",
    }

    strength: float = 0.17
    gated: bool = True
    mix: float = 0.3
    places: Iterable[int] | None = None
    layers: Iterable[int] | None = None

    def __post_init__(self) -> None:
        self.check_number("strength", least=0)
        self.check_flag("gated")
        self.check_number("mix", least=0, most=1)
        self.freeze_integers("places")
        self.freeze_integers()

    @property
    def neutral(self) -> bool:
        """Whether nothing is turned and nothing mixed."""
        return self.strength == 0 and self.mix == 0

    def refuse(self, module: torch.nn.Module, given: Mapping[str, Any]) -> None:
        """Refuse prompts in chunks."""
        refuse_chunks(self.name, module, given)

    def parts(self, site: Site) -> Iterable[AbstractContextManager[Any]]:
        """What finds the directions, the turned feed-forward parts, and the change of the logits."""
        layers = of_depth(self.layers, range(site.depth), site.depth, "VISTA.layers")
        steered = Steered(site, layers, lambda layer, states: self._push(site, layer, states), self.strength == 0)
        places = scaled(26, 32, site.depth) if self.places is None else self.places
        exits = Exits(site, check_places(places, site.depth, "VISTA.places"), normed=False)

        def change(logits: Float[Tensor, "row token"], at: Pass) -> Float[Tensor, "row token"]:
            return self.mix * exits.logits().mean(0) + (1 - self.mix) * logits

        mixed = (exits(), LogitChange(site, change, self.mix == 0, counts=False)())
        return (steered(), *mixed) if self.strength == 0 else (_Prompts(site)(), steered(), *mixed)

    def _push(self, site: Site, layer: int, states: Tensor) -> Tensor | None:
        kept = site.following.kept()
        if kept is None or DIRECTIONS not in kept.rows:
            return None
        directions = kept.rows[DIRECTIONS][:, layer, None]  # row 1 width
        by_row = states.reshape(len(directions), -1, states.shape[-1])  # some families lay all tokens of all rows side by side
        push = self.strength * normalize(directions, dim=-1)
        if self.gated:
            push = push * (1 + cosine_similarity(by_row, -directions, dim=-1).clamp_min(0)[..., None])
        return push.expand(by_row.shape).reshape(states.shape)


@dataclass(frozen=True)
class _Prompts:
    """Finds what the image adds to each prompt, before it passes the first layer; on the model's bare twin, so that nobody sees it."""

    site: Site
    _given: dict[str, dict[str, Any]] = field(default_factory=dict)

    @contextmanager
    def __call__(self) -> Iterator[None]:
        site, twin = self.site, Bare(self.site.model)
        hooks = [
            site.model.register_forward_pre_hook(self._keep("asked"), with_kwargs=True),
            site.speaker.register_forward_pre_hook(self._keep("spoken"), with_kwargs=True),
            site.decoder.layers[0].register_forward_pre_hook(lambda layer, args: self._look(twin)),
        ]
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
            self._given.clear()

    def _keep(self, name: str) -> Any:
        def before(module: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            self._given[name] = {**({"input_ids": args[0]} if args else {}), **kwargs}

        return before

    @torch.no_grad()
    def _look(self, twin: Bare) -> None:
        following, stream = self.site.following, self.site.following.passed
        kept, kwargs = following.kept(), self._given.pop("spoken", {})
        if kept is None or stream is None or (following.decoding and DIRECTIONS in kept.rows):
            return
        fed = next((kwargs[name] for name in ("inputs_embeds", "input_ids") if kwargs.get(name) is not None), None)
        if fed is None:
            raise Unsupported("vista reads the prompt again with and without its image; call the model itself, not a part of it.")
        if stream.aside and (following.decoding or prompt_groups(self.site, stream, kept, len(fed), fed.device) is None):
            return  # a branch without an image
        at = Pass(stream, kept, kwargs, self._given.get("asked", kwargs), following.decoding)
        text = Branch(self.site, lambda prompt: prompt).prompt(at)
        if DIRECTIONS in kept.rows or stream.fed != stream.prompt:
            raise Unsupported("vista reads the prompt again with and without its image; feed it at once, to an empty cache.")
        given = {name: value for name, value in kwargs.items() if not name.startswith("output_")}
        mask = given.get("attention_mask")
        if not isinstance(mask, Tensor) or mask.dim() != 2:  # `generate` has made one for the cache of the text
            given["attention_mask"] = text.mask.repeat_interleave(len(fed) // len(text.mask), 0)
        seen = self._states(twin, given)
        without = self._states(twin, _inputs(blind(self.site)(text), self.site))
        kept.rows[DIRECTIONS] = seen - without.repeat_interleave(len(seen) // len(without), 0)

    def _states(self, twin: Bare, inputs: Mapping[str, Any]) -> Float[Tensor, "row layer width"]:
        """The last token's state behind each layer, in the bare model."""
        cache = DynamicCache(config=self.site.decoder.config)
        with newest_states(twin.of(self.site.decoder)) as states:
            twin.of(self.site.speaker)(**{**inputs, "past_key_values": cache, "use_cache": True, "return_dict": True})
        if len(states) != self.site.depth + 1:
            raise Unsupported(
                f"vista cannot read a prompt apart in {type(self.site.model).__name__}, whose parts are bound to one another."
            )
        return torch.stack(states[1:], 1)


def _inputs(prompt: BatchPrompt, site: Site) -> dict[str, Any]:
    given = {**prompt.inputs, "input_ids": prompt.ids, "attention_mask": prompt.mask}
    positioned = prompt.positions is not None and "position_ids" in inspect.signature(type(site.speaker).forward).parameters
    return {**given, "position_ids": prompt.positions} if positioned else given
