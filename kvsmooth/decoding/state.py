"""What KVSmooth keeps of one batch of sequences, over all layers of the band."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import Cache

from kvsmooth.decoding.cache_slots import capacity, newest_slots
from kvsmooth.decoding.group import Group, Unit
from kvsmooth.decoding.hidden import PromptStates
from kvsmooth.decoding.sight import Newest, StepContext
from kvsmooth.errors import Unsupported
from kvsmooth.options import Options
from kvsmooth.sinks.needs import needs_of
from kvsmooth.spans import BOS, IMAGE


class BandState:
    """All groups of one batch of sequences."""

    def __init__(
        self, method: Options, band: tuple[int, ...], angles: dict[int, Tensor] | None, prompt_groups: Callable[[], Tensor] | None
    ):
        self.method, self.band, self.angles = method, band, angles
        self.prompt_groups = prompt_groups
        self.counted: Bool[Tensor, "row position"] | None = None
        self.units: dict[int, Unit] = {}
        self.groups: list[Group] = []
        self.applied = False
        self.needs = needs_of(method.score)
        self.prompt = PromptStates()
        # of the prompt's last token, until a group takes them
        self.last_states: dict[int, tuple[Tensor, Tensor]] = {}
        self.last_outputs: dict[int, Tensor] = {}

    def learn(self, layer: int, unit: Unit) -> None:
        """Learn where a layer's states live.

        Raises
        ------
        Unsupported
            When that changes while decoding: the queues would no longer belong to their rows.
        """
        known = self.units.setdefault(layer, unit)
        if known != unit:
            raise Unsupported(
                f"KVSmooth cannot follow a batch that changes from {known.rows} to {unit.rows} rows, or moves, while it decodes; "
                "repeat or select rows before the prompt."
            )

    def prepare(self, cache: Cache, longest: int) -> None:
        """Make the groups of the layers known so far, and seed them with the prompt's last token."""
        grouped = {layer for group in self.groups for layer in group.layers}
        members: dict[Unit, list[int]] = {}
        for layer, unit in self.units.items():
            if layer not in grouped:
                members.setdefault(unit, []).append(layer)
        for unit, layers in members.items():
            self.groups.append(Group(self.method, self.band, tuple(layers), unit, capacity(cache, longest), self.angles))
        for group in self.groups:
            group.seed(self.last_states, self.last_outputs)
        self.last_states.clear()
        self.last_outputs.clear()
        if self.prompt_groups is not None:
            self.counted = self._flags(self.prompt_groups())

    def _flags(self, groups: Int[Tensor, "row position"]) -> Bool[Tensor, "row position"]:
        kind = self._keys
        return groups.eq(IMAGE) if kind == "image" else groups.ne(IMAGE if kind == "text" else BOS)

    @property
    def _keys(self) -> str:
        """The `keys` option of the detector."""
        return getattr(self.method.score, "keys", "all")

    def counted_keys(self, keys: int, rows: int, total: int | None, device: torch.device) -> Bool[Tensor, "row key"] | None:
        """The detector's `keys` option, on the key axis of a layer; `total` tokens were seen where the layer drops old ones."""
        if self.counted is None:
            return None
        offset = 0 if total is None else max(0, total - keys)
        flags = self.counted[:, offset : offset + keys].to(device)
        flags = torch.nn.functional.pad(flags, (0, keys - flags.shape[1]), value=self._keys != "image")
        return flags.repeat_interleave(rows // flags.shape[0], 0)

    def step(
        self, newest: dict[int, Newest], cache: Cache, longest: int, tokens: Int[Tensor, " row"] | None = None
    ) -> Float[Tensor, "layer row *head"]:
        """Deal with the newest rows of these layers, in the cache and in the record; gives the rates of the last group.

        Raises
        ------
        Unsupported
            When a detector counts image keys only and a row has none.
        """
        grouped = {layer for group in self.groups for layer in group.layers}
        if any(layer not in grouped for layer in newest):
            self.prepare(cache, longest)
        # asked once, and never inside a compiled graph, whose guards it would move
        first = not torch.compiler.is_compiling() and not self.applied
        self.applied = True
        if first:
            self.prompt.forget_pieces()
        if first and self.counted is not None and not self.counted.any(1).all():
            raise Unsupported("KVSmooth.score with keys='image' needs an image in every row; a prompt has none: use keys='all'.")
        for group in self.groups:
            if group.layers[0] not in newest:
                continue
            items = [newest[layer] for layer in group.layers]
            cache_layers: list[Any] = [cache.layers[layer] for layer in group.layers]
            unit = group.unit
            total = cache_layers[0].get_seq_length() if unit.sliding else None
            shared = StepContext(
                self.counted_keys(items[0].row.shape[-1], unit.rows, total, unit.device),
                tokens,
                self.prompt.of(group.layers) if "prompt" in self.needs else (),
                newest_slots(cache_layers[0]) if self.needs & {"key", "value"} else None,
            )
            rates, scores = group.rates(items, shared)
            if self.method.keys or self.method.values:
                changes = group.smooth(items, cache_layers, rates)
            else:
                changes = (torch.zeros(len(items), unit.rows, device=unit.device),) * 2
            flat = [values.mean(-1) if values.dim() == 3 else values for values in (rates, scores)]
            group.note(torch.stack((*flat, *changes)))
        return rates

    def smooth_output(self, layer: int, output: Tensor, rates: Float[Tensor, " row *head"]) -> Tensor:
        """A layer's attention output, mixed with its previous one."""
        return next(group for group in self.groups if layer in group.layers).smooth_output(output, rates)

    def record(self) -> Float[Tensor, "step field layer row"]:
        """The record of all layers of the band, in their order; steps that an exception cut short are left out."""
        layers = [layer for group in self.groups for layer in group.layers]
        if len(layers) < len(self.band):
            return torch.empty(0, 4, len(self.band), 0)
        records = [group.record() for group in self.groups]
        whole = torch.cat([record[: min(map(len, records))] for record in records], 2)
        return whole[:, :, [layers.index(layer) for layer in self.band]]

    def keep(self, rows: Int[Tensor, " kept"]) -> None:
        """Only these rows go on."""
        self.prompt.reorder(rows)
        self.units = {layer: replace(unit, rows=len(rows)) for layer, unit in self.units.items()}
        if self.counted is not None:
            self.counted = self.counted.index_select(0, rows.to(self.counted.device))
        for group in self.groups:
            group.keep(rows)

    def reorder(self, rows: Int[Tensor, " row"]) -> None:
        """Row i goes on as what row rows[i] was."""
        self.last_outputs = {layer: output.index_select(0, rows.to(output.device)) for layer, output in self.last_outputs.items()}
        self.prompt.reorder(rows)
        for group in self.groups:
            group.reorder(rows)
