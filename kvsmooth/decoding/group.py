"""Like layers of the band, dealt with together: one queue, one previous state and one record for all of them."""

from dataclasses import dataclass, replace
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from kvsmooth.decoding.cache_slots import check_alias, newest_pair, newest_slots, write_newest
from kvsmooth.decoding.sight import Newest, StepContext, score_newest
from kvsmooth.errors import Unsupported
from kvsmooth.measures import relative_change, rope_shift
from kvsmooth.mixes import MIXES, Mix
from kvsmooth.options import Options
from kvsmooth.policies import PolicySetting


@dataclass(frozen=True)
class Unit:
    """Where a layer's states live and how large they are: like layers are dealt with together."""

    device: torch.device
    rows: int
    heads: int
    kv: int
    key_channels: int
    value_channels: int
    sliding: bool  # the cache layer drops old tokens
    kind: str  # what the model calls the layer, "sliding_attention" say: its mask may differ where the cache is the same
    alone: int  # the layer number where each layer is dealt with by itself, else -1


class Group:
    """State of like layers: one queue, one previous state and one record for all of them."""

    def __init__(
        self,
        method: Options,
        band: tuple[int, ...],
        layers: tuple[int, ...],
        unit: Unit,
        steps: int | None,
        angles: dict[int, Tensor] | None,
    ):
        self.method, self.layers, self.unit = method, layers, unit
        shape = (len(layers), unit.rows, unit.heads) if method.heads == "per_head" else (len(layers), unit.rows)
        places = tuple(band.index(layer) for layer in layers)
        setting = PolicySetting(shape, unit.device, method.window, method.rank, method.warmup, method.bounds, places, len(band))
        self.policy = method.policy.start(setting)
        self.mixes = self._mixes()
        self.angles = None
        if angles is not None:
            self.angles = torch.stack([angles[layer] for layer in layers]).to(unit.device)[:, None, None]
        states = (len(layers), unit.rows, unit.kv)
        self.raw: tuple[Tensor, Tensor] | None = None
        if method.previous == "raw":
            self.raw = self._empty(*states, unit.key_channels), self._empty(*states, unit.value_channels)
        self.output = self._empty(1, unit.rows, unit.heads, unit.value_channels) if method.output else None
        self.seeded = self.seeded_output = self.checked = False
        # of the whole batch, the rows that still decode; policies and the record go on with all of them, so that each row has its own place
        self.batch = unit.rows
        self.kept: Int[Tensor, " kept"] | None = None
        # a compiled graph cannot grow a list, so with a static cache the record is a buffer of the cache's length
        self.steps: list[Float[Tensor, "field layer row"]] = []
        self.buffer = None if steps is None else self._empty(steps, 4, *shape[:2])
        self.filled = torch.zeros(1, dtype=torch.long, device=unit.device)
        if self.buffer is not None and not torch.compiler.is_compiling():
            self._keep_addresses()

    def _empty(self, *shape: int) -> Tensor:
        return torch.zeros(shape, dtype=torch.float32, device=self.unit.device)

    def _mixes(self) -> dict[str, Mix]:
        """A mix for each part that is smoothed; what it draws depends on its layer and part, not on how layers are grouped."""
        method, unit = self.method, self.unit
        shapes = {
            "keys": (len(self.layers), unit.rows, unit.kv, unit.key_channels),
            "values": (len(self.layers), unit.rows, unit.kv, unit.value_channels),
            "output": (1, unit.rows, unit.heads, unit.value_channels),
        }
        return {
            part: MIXES[method.mix](shape, unit.device, tuple(f"{method.mix_seed} {layer} {part}" for layer in self.layers))
            for part, shape in shapes.items()
            if getattr(method, part)
        }

    def _keep_addresses(self) -> None:
        """Tell CUDA graphs that these tensors stay where they are."""
        states = [self.policy, *vars(self.policy).values(), *self.mixes.values()]
        kept = [tensor for state in states if hasattr(state, "__dict__") for tensor in vars(state).values()]
        for tensor in (self.buffer, self.filled, self.output, *(self.raw or ()), *kept):
            if isinstance(tensor, Tensor):
                torch._dynamo.mark_static_address(tensor)

    def rates(self, items: list[Newest], shared: StepContext) -> tuple[Tensor, Tensor]:
        """Rates "layer row" or "layer row head", and the scores they come from."""
        scores = score_newest(self.method, items, shared, self.unit.heads)
        rates = self._pushed(scores, shared.tokens)
        if rates.shape != scores.shape:
            told = f"{type(self.policy).__name__}: rates {tuple(rates.shape)} for scores {tuple(scores.shape)}"
            raise Unsupported(f"KVSmooth.policy must give a rate for each score, in the scores' shape; got {told}.")
        return rates, scores

    def _pushed(self, scores: Float[Tensor, "layer row *head"], tokens: Int[Tensor, " row"] | None) -> Tensor:
        """Rates as the policy gives them; whether they are in the scores' shape is checked by whoever asked."""
        if self.kept is None:
            return self.policy.push(scores, tokens)
        tokens = None if tokens is None else self._whole(tokens, 0, self.kept)
        return self.policy.push(self._whole(scores, 1, self.kept), tokens).index_select(1, self.kept)

    def _whole(self, part: Tensor, rows: int, kept: Int[Tensor, " kept"]) -> Tensor:
        """Values of the rows that decode, on dimension `rows` of the whole batch; 0 for those that have left."""
        shape = (*part.shape[:rows], self.batch, *part.shape[rows + 1 :])
        return part.new_zeros(shape).index_copy_(rows, kept.to(part.device), part)

    def smooth(self, items: list[Newest], cache_layers: list[Any], rates: Float[Tensor, "layer row *head"]) -> tuple[Tensor, Tensor]:
        """Mix the newest cached states with the previous ones, in the cache; gives the relative changes of keys and values."""
        unit = self.unit
        if not self.checked and not torch.compiler.is_compiling():
            for item, layer in zip(items, cache_layers, strict=True):
                check_alias(layer, item.key, item.value)
            self.checked = True
        slots = newest_slots(cache_layers[0])
        if rates.dim() == 3:
            rates = rates.view(*rates.shape[:2], unit.kv, unit.heads // unit.kv).mean(-1, keepdim=True)
        else:
            rates = rates[..., None, None]
        none = torch.zeros(len(items), unit.rows, device=unit.device)
        changes = []
        for part, name in enumerate(("keys", "values")):
            states = [item.value if part else item.key for item in items]
            changes.append(self._smooth_part(part, self.mixes[name], states, slots, rates) if name in self.mixes else none)
        self.seeded = True
        return changes[0], changes[1]

    def seed(self, last_states: dict[int, tuple[Tensor, Tensor]], last_outputs: dict[int, Tensor]) -> None:
        """Take the last prompt token's states as the previous ones."""
        if self.raw is not None and all(layer in last_states for layer in self.layers):
            for part, raw in enumerate(self.raw):
                raw.copy_(torch.stack([last_states[layer][part] for layer in self.layers]))
            self.seeded = True
        if self.output is not None and self.layers[0] in last_outputs:
            self.output[0].copy_(last_outputs[self.layers[0]])
            self.seeded_output = True

    def smooth_output(self, output: Float[Tensor, "row 1 head channel"], rates: Float[Tensor, " row *head"]) -> Tensor:
        """The newest token's attention output mixed with the previous token's; unchanged where no previous one was seen."""
        if self.output is None:
            raise RuntimeError("a group whose method leaves outputs alone is asked to smooth one.")
        newest = output[:, 0].float().unsqueeze(0)
        smoothed = newest
        if self.seeded_output:
            smoothed = self._mixed(self.mixes["output"], newest, self.output, rates.view(1, len(rates), -1, 1))
        self.output.copy_(newest if self.method.previous == "raw" else smoothed)
        self.seeded_output = True
        return smoothed[0].to(output.dtype).unsqueeze(1)

    def _mixed(self, mix: Mix, newest: Tensor, previous: Tensor, rates: Tensor, angles: Tensor | None = None) -> Tensor:
        reference = mix.reference(previous)
        if angles is not None:
            reference = rope_shift(reference, angles)
        smoothed = mix(newest, reference, rates)
        mix.remember(reference, newest if self.method.previous == "raw" else smoothed)
        return smoothed

    def _smooth_part(
        self, part: int, mix: Mix, states: list[Tensor], slots: Int[Tensor, "2"] | None, rates: Tensor
    ) -> Float[Tensor, "layer row"]:
        pair = torch.stack([newest_pair(state, slots) for state in states]).float()
        previous, newest = pair.unbind(3)
        if self.raw is not None:
            previous = self.raw[part].clone() if self.seeded else previous
            self.raw[part].copy_(newest)
        smoothed = self._mixed(mix, newest, previous, rates, None if part else self.angles)
        for state, layer in zip(states, smoothed.to(states[0].dtype).unbind(0), strict=True):
            write_newest(state, slots, layer)
        return relative_change(smoothed - newest, newest)

    def note(self, record: Float[Tensor, "field layer row"]) -> None:
        """Append a step to the record."""
        if self.kept is not None:
            record = self._whole(record, 2, self.kept)
        if self.buffer is None:
            self.steps.append(record)
        else:
            self.buffer.index_copy_(0, self.filled, record.unsqueeze(0))
            self.filled.add_(1)

    def record(self) -> Float[Tensor, "step field layer row"]:
        """The record so far, on the CPU."""
        if self.buffer is not None:
            return self.buffer[: int(self.filled)].cpu()
        return torch.stack(self.steps).cpu() if self.steps else torch.empty(0, 4, len(self.layers), self.batch)

    def keep(self, rows: Int[Tensor, " kept"]) -> None:
        """Only these rows go on."""
        rows = rows.to(self.unit.device)
        self.kept = rows if self.kept is None else self.kept[rows]
        self.unit = replace(self.unit, rows=len(rows))
        if self.raw is not None:
            keys, values = (states.index_select(1, rows) for states in self.raw)
            self.raw = keys, values
        if self.output is not None:
            self.output = self.output.index_select(1, rows)
        for mix in self.mixes.values():
            mix.keep(rows)

    def reorder(self, rows: Int[Tensor, " row"]) -> None:
        """Row i goes on as what row rows[i] was."""
        self.policy.reorder(rows)
        rows = rows.to(self.unit.device)
        for tensor in self.raw or ():
            tensor.copy_(tensor.index_select(1, rows))
        if self.output is not None:
            self.output.copy_(self.output.index_select(1, rows))
        for mix in self.mixes.values():
            mix.reorder(rows)
