"""The attention function of KVSmooth: it delegates, and deals with the newest row of each layer of the band.

With timing="after" a step's layers are collected and dealt with together in the band's last layer: only later steps see the change,
so the result is the same, and dozens of small operations become a few.
"""

from collections.abc import Callable
from typing import Any, TypeAlias

import torch
from torch import Tensor

from kvsmooth.decoding.cache_slots import newest_slots
from kvsmooth.decoding.clock import Clock
from kvsmooth.decoding.group import Unit
from kvsmooth.decoding.hidden import HiddenStates
from kvsmooth.decoding.sight import Newest
from kvsmooth.decoding.state import BandState
from kvsmooth.decoding.stream import Stream
from kvsmooth.errors import Unsupported
from kvsmooth.measures import mask_scores, newest_row_probabilities, newest_row_scores
from kvsmooth.options import Options
from kvsmooth.run import Run
from kvsmooth.sinks.needs import needs_of

Attended: TypeAlias = tuple[Tensor, Tensor | None]
"""What an attention function gives: its output and, where it has them, its weights."""


class SmoothingAttention:
    """The stage of one `with` block; `attend` has the signature of transformers' attention functions."""

    def __init__(
        self,
        method: Options,
        band: tuple[int, ...],
        clock: Clock,
        base: Callable[..., Any],
        run: Run,
        angles: dict[int, torch.Tensor] | None,
        hidden: HiddenStates | None = None,
    ):
        self.method, self.band, self.clock, self.base, self.run, self.angles = method, band, clock, base, run, angles
        self.hidden, self.needs = hidden, needs_of(method.score)
        self.members, self.first, self.last = frozenset(band), band[0], band[-1]
        # one layer at a time where a layer's own output depends on its rate
        self.at_once = method.timing == "recompute" or method.output
        self.newest: dict[int, Newest] = {}
        # a static cache whose layers all slide forgets its length: the model's limit stands in for it
        self.longest = getattr(clock.decoder.config, "max_position_embeddings", 32768)
        kinds = getattr(clock.decoder.config, "layer_types", None) or ()
        self.kinds = {layer: kinds[layer] if layer < len(kinds) else "" for layer in band}
        clock.on_stream = self._begin

    def attend(self, module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **kwargs: Any) -> Attended:
        """Attention output "row query head channel" and, where the function found gives them, weights."""
        layer: int = module.layer_idx
        result: Attended
        if layer not in self.members:
            result = self.base(module, query, key, value, attention_mask, **kwargs)
            return result
        if layer == self.first:
            self.newest.clear()
        if not self.clock.decoding:
            result = self.base(module, query, key, value, attention_mask, **kwargs)
            self._note_prompt(layer, query, key, value, result[0])
            return result
        if kwargs.get("s_aux") is not None:
            raise Unsupported("KVSmooth does not know attention with learned sink logits (s_aux); use a model without them.")
        return self._decode(layer, module, query, key, value, attention_mask, kwargs)

    def _decode(
        self, layer: int, module: Any, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, kwargs: dict[str, Any]
    ) -> Attended:
        if key.shape[2] != value.shape[2]:  # keys were rotated to every position that the pass was given
            raise Unsupported(
                f"{type(self.clock.model).__name__} gave one token {1 + key.shape[2] - value.shape[2]} positions, those of its whole "
                "attention_mask; give position_ids of the newest token, or leave attention_mask out where no prompt is padded."
            )
        terms = kwargs.get("scaling"), kwargs.get("softcap"), kwargs.get("position_bias")
        explicit = not (self.method.exact or kwargs.get("dropout"))
        recompute = self.method.timing == "recompute"
        row = newest_row_scores(query, key, *terms)
        scores = row.detach() if explicit and "logits" in self.needs else None
        if explicit:
            row = mask_scores(row, mask).softmax(-1)
        self._learn(layer, query, key, value)
        hidden = self.hidden.newest.pop(layer) if self.hidden is not None and "hidden" in self.needs else None
        self.newest[layer] = Newest(key, value, row.detach(), mask, explicit, scores, hidden)
        rates = self._step() if recompute else None
        if not explicit:
            output, weights = self.base(module, query, key, value, mask, **kwargs)
        else:
            if recompute:
                row = newest_row_probabilities(query, key, mask, *terms)
            output, weights = _explicit_output(row, value), row.unsqueeze(2).to(query.dtype)
        if not recompute and (self.at_once or layer == self.last):
            rates = self._step()
        if self.method.output and rates is not None:
            output = self.clock.present.kept.smooth_output(layer, output, rates[0])
        return output, weights

    @torch.no_grad()
    def _step(self) -> Tensor | None:
        cache = self.clock.cache
        if cache is None:
            raise RuntimeError("a step is due on no cache.")
        rates = self.clock.present.kept.step(self.newest, cache, self.longest, self.clock.tokens)
        self.newest.clear()
        return rates

    @torch.no_grad()
    def _note_prompt(self, layer: int, query: Tensor, key: Tensor, value: Tensor, output: Tensor) -> None:
        """Prepare the state while nothing is compiled; prompt tokens themselves stay as they are."""
        stream, cache = self.clock.present, self.clock.cache
        state = stream.kept
        if self.method.output:
            state.last_outputs[layer] = output[:, -1].float()
        if layer == self.last and "prompt" in self.needs and stream.ready and stream.start == 0:
            state.prompt.summarise()
        if cache is None:  # the decoder makes its own, so the layer's kind shows at the first decode step only
            return
        self._learn(layer, query, key, value)
        if self.method.previous == "raw":
            slots = newest_slots(cache.layers[layer])
            last = (states[:, :, -1] if slots is None else states.index_select(2, slots[1:])[:, :, 0] for states in (key, value))
            last_key, last_value = (states.float() for states in last)
            state.last_states[layer] = last_key, last_value
        if layer == self.last:
            state.prepare(cache, self.longest)

    def _learn(self, layer: int, query: Tensor, key: Tensor, value: Tensor) -> None:
        state, cache = self.clock.present.kept, self.clock.cache
        known = state.units.get(layer)
        if cache is None or (known is not None and known.rows == query.shape[0]):
            return
        cached: Any = cache.layers[layer]
        sizes = query.shape[0], query.shape[1], key.shape[1], key.shape[3], value.shape[3]
        state.learn(layer, Unit(key.device, *sizes, bool(cached.is_sliding), self.kinds[layer], layer if self.at_once else -1))

    def _begin(self, stream: Stream) -> None:
        prompt_groups = (lambda: stream.groups(self.clock.model)) if self.clock.needs_ids else None
        stream.state = BandState(self.method, self.band, self.angles, prompt_groups)
        self.run.begin(stream)


def _explicit_output(probabilities: Tensor, value: Tensor) -> Tensor:
    """Attention output "row 1 head channel" of one query from its probabilities, grouped-query values included."""
    rows, heads, keys = probabilities.shape
    grouped = probabilities.view(rows * value.shape[1], heads // value.shape[1], keys).to(value.dtype)
    return torch.bmm(grouped, value.flatten(0, 1)).view(rows, 1, heads, value.shape[-1])
