"""Assembles the reads of a forward pass into a decoding step, with checks that they belong to it.

No nnsight here: `probes.tracing` hands in what it reads, in the order of the forward pass.
"""

import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from kvsmooth.measures import newest_row_probabilities, visible_keys
from probes.tracing.rows import Scored, newest_mask
from probes.tracing.steps import GenerationSetting, Rows, Step


class OutOfStep(RuntimeError):
    """What was read belongs to another step or layer than the reader believes."""


@dataclass
class StepCollector:
    """Gathers one forward pass after the other, checks each, and hands every decoding step to the recorders.

    Call order in a forward: `begin`, then for each layer `attention` (and `attended`, where the row is known only then) and `output`, then
    `passed`; when the step's token is chosen, `end` and `predicted`. Passes over parts of the prompt (chunked prefill) are no steps;
    their hidden states reach `Recorder.prompt`.

    Attributes
    ----------
    recompute : the row is taken when attention has been done: its output came from smoothed keys, or from a row that a method made
    """

    setting: GenerationSetting
    recorders: Sequence
    recompute: bool = False
    positions: int = 0
    steps: int = 0
    _chosen: int = field(default=0, repr=False)
    _length: int = field(default=0, repr=False)
    _reads: list = field(default_factory=list, repr=False)
    _rows: dict = field(default_factory=dict, repr=False)
    _pending: tuple | None = field(default=None, repr=False)
    _own_logits: Tensor | None = field(default=None, repr=False)
    _cache: weakref.ref | None = field(default=None, repr=False)

    def __post_init__(self):
        wanted = set().union(*(recorder.needs for recorder in self.recorders))
        self._wants_row, self._wants_pair = "row" in wanted, bool(wanted & {"key", "value"})
        self._wants_hidden, self.wants_logits, self._wants_smoothed = "hidden" in wanted, "logits" in wanted, "smoothed" in wanted
        self.wants_own_logits = "own_logits" in wanted
        self._keys, self._values, self._hidden, self._left = [], [], [], []

    def follows(self, cache: Any) -> bool:
        """Whether a pass on this cache is the text's: the first one is, and all on its cache."""
        if self._cache is None:
            self._cache = weakref.ref(cache)  # what is collected outlives the generation, and must not keep its cache alive
        return self._cache() is cache

    def begin(self, cached: int) -> None:
        """A forward pass begins with `cached` positions in the cache.

        Raises
        ------
        OutOfStep : that is not where the pass before ended
        """
        if cached != self.positions:
            raise OutOfStep(f"a forward pass began at position {cached}; the one before ended at {self.positions}.")
        self._length, self._reads = 0, []

    @property
    def _is_step(self) -> bool:
        return self.positions >= self.setting.prompt_length

    def attention(
        self,
        layer: int,
        cached: int,
        query: Float[Tensor, "row head query dim"],
        key: Float[Tensor, "row kv_head key dim"],
        value: Float[Tensor, "row kv_head key dim_v"],
        mask: Tensor | None,
        scaling: float | None,
        softcap: float | None = None,
    ) -> None:
        """Layer `layer` is about to attend with `cached` positions in its cache.

        Raises
        ------
        OutOfStep : the layer is not the next one, or its cache does not hold exactly the positions of this pass
        """
        self._check(layer, cached, query.shape[2], key.shape[2])
        if not self._is_step:
            return
        # a static cache is longer than what it holds; a sliding one holds the last positions only
        held = min(key.shape[2], self.positions)
        key = key[:, :, :held]
        if self._wants_pair:
            # cloned: the cache is edited in place by a method, and a view would keep the whole cache tensor alive
            self._keys.append(key[:, :, -1].clone())
            self._values.append(value[:, :, held - 1].clone())
        if self._wants_smoothed:
            self._left.append((key[:, :, -1], value[:, :, held - 1]))  # views, read when the pass has ended and let go then
        if self._wants_row:
            announced = Scored(query[:, :, -1:], key, mask, scaling, softcap)
            if self.recompute:
                self._pending = (layer, announced)
            else:
                self._take_row(layer, announced, mask)

    def attended(self, scored: Scored | None = None) -> None:
        """The attention that was announced last has been done, and its keys are now those that its output used.

        Parameters
        ----------
        scored : what its newest row was computed from; None: what was announced
        """
        if self._pending is None:
            return
        (layer, announced), self._pending = self._pending, None
        if scored is None:
            self._take_row(layer, announced, announced.mask)
        else:
            held = announced.key.shape[2]
            own = Scored(scored.query[:, :, -1:], scored.key[:, :, :held], scored.mask, scored.scaling, scored.softcap)
            self._take_row(layer, own, announced.mask)

    def output(self, layer: int, hidden: Float[Tensor, "row query channel"]) -> None:
        """Layer `layer` has ended.

        Raises
        ------
        OutOfStep : another layer, or another number of positions, than the attention before
        """
        if len(self._reads) != layer + 1 or hidden.shape[1] != self._length:
            raise OutOfStep(f"the output of layer {layer} with {hidden.shape[1]} positions follows {len(self._reads)} attention calls.")
        if not self._wants_hidden:
            return
        first = self.positions - self._length
        if first < self.setting.prompt_length:
            for recorder in self.recorders:
                recorder.prompt(layer, hidden, first)
        if self._is_step:
            self._hidden.append(hidden[:, -1])

    def passed(self, own_logits: Float[Tensor, "row query token"] | None = None) -> None:
        """The forward pass has gone through the model, which gives these logits.

        Raises
        ------
        OutOfStep : not every layer was read
        """
        self._check_whole()
        self._own_logits = None if own_logits is None else own_logits[:, -1]

    def end(self, logits: Float[Tensor, "row query token"] | None = None) -> None:
        """A token is about to be chosen from these logits: reduce the forward pass, if it was a step.

        Raises
        ------
        OutOfStep : not every layer was read
        """
        self._check_whole()
        if not self._is_step:
            return
        keys_left, values_left = zip(*self._left, strict=True) if self._left else ((), ())
        step = Step(
            number=self.steps,
            positions=self.positions,
            rows=tuple(_stacked(read) for read in self._rows.values()),
            key=_stack(self._keys),
            value=_stack(self._values),
            key_smoothed=_stack(keys_left),
            value_smoothed=_stack(values_left),
            hidden=_stack(self._hidden),
            logits=None if logits is None else logits[:, -1],
            own_logits=self._own_logits,
        )
        self._own_logits = None
        self._rows, self._reads, self._keys, self._values, self._hidden, self._left = {}, [], [], [], [], []
        self.steps += 1
        for recorder in self.recorders:
            recorder.step(step)

    def predicted(self, tokens: Int[Tensor, " row"]) -> None:
        """The step before has chosen these tokens.

        Raises
        ------
        OutOfStep : there is no step that could have
        """
        if self._chosen >= self.steps:
            raise OutOfStep(f"token {self._chosen} was chosen, but only {self.steps} steps were read.")
        self._chosen += 1
        for recorder in self.recorders:
            recorder.predicted(tokens)

    def _check_whole(self) -> None:
        if len(self._reads) != len(self.setting.layers):
            raise OutOfStep(f"a forward pass ended after {len(self._reads)} of {len(self.setting.layers)} layers.")

    def _check(self, layer: int, cached: int, queries: int, keys: int) -> None:
        if layer != len(self._reads):
            raise OutOfStep(f"layer {layer} was read where layer {len(self._reads)} was due.")
        if layer == 0:
            self._length = queries
            self.positions += queries
            if self.steps and queries != 1:
                raise OutOfStep(f"step {self.steps} was fed {queries} tokens; one is expected.")
            if not self.steps and self.positions > self.setting.prompt_length:
                raise OutOfStep(f"the prompt has {self.setting.prompt_length} positions, but the model has read {self.positions}.")
        if queries != self._length or cached != self.positions:
            raise OutOfStep(
                f"layer {layer} at step {self.steps}: {cached} cached positions and {queries} queries; "
                f"{self.positions} and {self._length} are expected."
            )
        self._reads.append(keys)

    def _take_row(self, layer: int, scored: Scored, given: Tensor | None) -> None:
        """Keys are those that the model's own mask shows, `given`; probabilities are by the mask that was used."""
        held = scored.key.shape[2]
        # layers that were given one and the same mask see the same keys; it is kept, as another could get its id
        layers, rows, newest, _, _ = self._rows.setdefault(
            (held, id(given)), ([], [], newest_mask(given, held), self.positions - held, given)
        )
        used = newest if scored.mask is given else newest_mask(scored.mask, held)
        layers.append(layer)
        rows.append(newest_row_probabilities(scored.query, scored.key, used, scored.scaling, scored.softcap))


def _stack(parts: Sequence[Tensor]) -> Tensor | None:
    return torch.stack(list(parts)) if parts else None


def _stacked(read: tuple) -> Rows:
    layers, rows, mask, first, _ = read
    probabilities = torch.stack(rows)
    _, batch, _, keys = probabilities.shape
    visible = visible_keys(mask, keys)
    if visible is None:
        visible = torch.ones((1, keys), dtype=torch.bool, device=probabilities.device)
    return Rows(layers, probabilities, visible.expand(batch, -1), first)
