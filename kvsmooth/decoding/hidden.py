"""Hidden states at the input of decoder layers: what detectors keep of the prompt's, and the newest token's."""

from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from kvsmooth.decoding.clock import Clock
from kvsmooth.errors import Unsupported
from kvsmooth.sinks import Prompt
from kvsmooth.sinks.prompt import prompt_statistics


def visible_positions(mask: object, length: int, end: int) -> Bool[Tensor, "row position"] | None:
    """Which of the `length` positions before `end` hold a token, from the mask that a forward pass was given; None where all do.

    That is the mask of the whole text so far, "row position", or, where `generate` has prepared it already, that of attention, "row 1|head
    query key", by kind of layer or not: a token sees itself, padding does not.

    Raises
    ------
    Unsupported : the mask is of another kind, or too short
    """
    if isinstance(mask, Mapping):
        mask = mask["full_attention"] if "full_attention" in mask else next(iter(mask.values()))
    if mask is None:
        return None
    if isinstance(mask, Tensor) and mask.shape[-1] >= end:
        if mask.dim() == 2:
            return mask[:, end - length : end].bool()
        if mask.dim() == 4 and mask.shape[2] == length:
            own = mask[..., end - length : end].diagonal(dim1=2, dim2=3)
            return (own if own.dtype == torch.bool else own > torch.finfo(own.dtype).min / 2).any(1)
    raise Unsupported(
        f'KVSmooth.score needs the attention_mask of all {end} positions of the prompt so far, "row position"; '
        f"got {'shape ' + str(tuple(mask.shape)) if isinstance(mask, Tensor) else type(mask).__name__}."
    )


class HiddenStates:
    """Watches the layers of a band inside a `with`, for detectors that need hidden states; nothing is installed for others.

    Attributes
    ----------
    newest : of the newest token, by layer, at the present decode step
    """

    def __init__(self, decoder: Any, band: tuple[int, ...], clock: Clock, prompt: bool):
        self.layers: dict[int, torch.nn.Module] = {layer: decoder.layers[layer] for layer in band}
        self.clock, self.prompt = clock, prompt
        self.newest: dict[int, Tensor] = {}
        self._undo: list[Callable[[], None]] = []

    def __enter__(self) -> "HiddenStates":
        for layer, module in self.layers.items():
            self._undo.append(module.register_forward_pre_hook(self._watch(layer), with_kwargs=True).remove)
        return self

    def __exit__(self, *exception: object) -> None:
        while self._undo:
            self._undo.pop()()
        self.newest.clear()

    def _watch(self, layer: int) -> Callable[..., None]:
        def before_layer(module: torch.nn.Module, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
            hidden = (args[0] if args else kwargs["hidden_states"]).detach()
            if self.clock.decoding:
                self.newest[layer] = hidden[:, -1]
            elif self.prompt:
                stream = self.clock.present
                visible = visible_positions(self.clock.mask, hidden.shape[1], stream.start + stream.fed)
                stream.kept.prompt.note(layer, hidden, visible)

        return before_layer


class PromptStates:
    """What is kept of one prompt: its states, piece by piece, until it is whole, then statistics a layer."""

    def __init__(self) -> None:
        self.pieces: dict[int, list[tuple[Tensor, Tensor | None]]] = {}
        self.statistics: dict[int, Prompt] = {}

    def note(self, layer: int, hidden: Float[Tensor, "row position width"], visible: Bool[Tensor, "row position"] | None) -> None:
        """Take a piece of the prompt."""
        self.pieces.setdefault(layer, []).append((hidden, visible))

    @torch.no_grad()
    def summarise(self) -> None:
        """Make the statistics; a prompt that goes on, chunk by chunk, makes them again."""
        for layer, pieces in self.pieces.items():
            masks = [torch.ones_like(hidden[..., 0], dtype=torch.bool) if seen is None else seen for hidden, seen in pieces]
            self.statistics[layer] = prompt_statistics(torch.cat([hidden for hidden, _ in pieces], 1), torch.cat(masks, 1))

    def forget_pieces(self) -> None:
        """Let the prompt's states go: decoding has begun."""
        self.pieces.clear()

    def of(self, layers: tuple[int, ...]) -> tuple[Prompt, ...]:
        """The statistics of some layers.

        Raises
        ------
        Unsupported : the prompt, or its beginning, was not seen
        """
        if any(layer not in self.statistics for layer in layers):
            raise Unsupported(
                "KVSmooth.score needs the hidden states of the whole prompt, and the cache held tokens before; "
                "run the prompt inside the `with`, from an empty cache."
            )
        return tuple(self.statistics[layer] for layer in layers)

    def reorder(self, rows: Int[Tensor, " row"]) -> None:
        """Row i goes on as what row rows[i] was."""
        for layer, kept in self.statistics.items():
            parts = (getattr(kept, each.name) for each in fields(Prompt))
            self.statistics[layer] = Prompt(*(part.index_select(1, rows.to(part.device)) for part in parts))
