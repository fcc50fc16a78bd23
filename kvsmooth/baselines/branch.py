"""A branch beside the text: the same model on another prompt, fed the text's tokens, on a cache of its own that follows beams."""

import inspect
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from transformers import DynamicCache

from kvsmooth.baselines.blanks import blanked
from kvsmooth.baselines.logits import Pass
from kvsmooth.baselines.site import Site
from kvsmooth.decoding.refusals import option
from kvsmooth.errors import Unsupported

CACHE, MASK, POSITION = "branch", "branch_mask", "branch_position"
TYPES = ("token_type_ids", "mm_token_type_ids")
_NO_INPUTS = {"past_key_values", "use_cache", "labels", "return_dict", "output_attentions", "output_hidden_states", "logits_to_keep"}


@dataclass(frozen=True)
class BatchPrompt:
    """A prompt of a whole batch, without what generation makes of it.

    Attributes
    ----------
    ids, mask : of the tokens, left-padded
    positions : "row position" or "axis row position"; None leaves them to the model
    inputs : what else the model's forward is given: pixels, kinds of tokens
    image : the prompt holds the image, so that it passes through the model and not through its language model alone
    blank : image tokens whose features are zeros; None leaves all as they are
    """

    ids: Int[Tensor, "row position"]
    mask: Int[Tensor, "row position"]
    positions: Int[Tensor, "*axis row position"] | None
    inputs: Mapping[str, Any]
    image: bool = True
    blank: Bool[Tensor, "row position"] | None = None


Edit: TypeAlias = Callable[[BatchPrompt], BatchPrompt]
"""The branch's prompt, from the text's."""


@dataclass(frozen=True)
class Branch:
    """One branch of a method; it keeps its cache, mask and positions with what the method keeps of the batch.

    Parameters
    ----------
    edit : makes its prompt of the text's
    """

    site: Site
    edit: Edit

    @torch.no_grad()
    def logits(self, at: Pass) -> Float[Tensor, "row token"]:
        """What the branch says next, raw, float32; it is fed what the text was fed."""
        with self.site.following.branch():
            return self._step(at) if CACHE in at.kept.caches else self._begin(at)

    def prompt(self, at: Pass) -> BatchPrompt:
        """Its prompt, a row for each of the call's.

        Raises
        ------
        Unsupported : the text's is not known from its first token on
        """
        told = f"{self.site.method} runs a second branch from the whole prompt"
        if at.stream.start or at.decoding:
            raise Unsupported(f"{told}, and the cache held tokens before; run the prompt inside the `with`, from an empty cache.")
        return self.edit(self._text(at, told))

    def _begin(self, at: Pass) -> Float[Tensor, "row token"]:
        prompt = self.prompt(at)
        # a row for each beam, as the text has, though they begin alike: whoever else follows this model counts rows once
        times, rows = _rows(at.kwargs) // len(prompt.ids), len(prompt.ids)
        tiled = _tiled(prompt, times)
        cache = DynamicCache(config=self.site.decoder.config)
        given = {**tiled.inputs, "input_ids": tiled.ids, "attention_mask": tiled.mask, "past_key_values": cache, "use_cache": True}
        if tiled.positions is not None and "position_ids" in _parameters(self.site.speaker):
            given["position_ids"] = tiled.positions
        with blanked(self.site, tiled.blank):
            logits: Tensor = (self.site.model if prompt.image else self.site.speaker)(**given).logits[:, -1].float()
        # from all prompts again and again to all beams of a prompt side by side
        order: Any = torch.arange(times * rows, device=logits.device).view(times, rows).T.flatten()
        if times > 1:
            cache.reorder_cache(order)
        at.kept.caches[CACHE] = cache
        at.kept.rows[MASK] = tiled.mask[order]
        if tiled.positions is not None:
            last = tiled.positions[..., -1]
            at.kept.rows[POSITION] = (last.T if last.dim() == 2 else last[:, None])[order]
        return logits[order]

    def _step(self, at: Pass) -> Float[Tensor, "row token"]:
        if not at.decoding:
            raise Unsupported(f"{self.site.method} follows one text on a cache; begin the next turn on an empty one.")
        rows = at.kept.rows
        rows[MASK] = torch.cat((rows[MASK], rows[MASK].new_ones(len(rows[MASK]), 1)), 1)
        given = {
            **at.kwargs,
            "attention_mask": rows[MASK],
            "past_key_values": at.kept.caches[CACHE],
            "use_cache": True,
            "return_dict": True,
        }
        if POSITION in rows and "position_ids" in _parameters(self.site.speaker):
            rows[POSITION] = rows[POSITION] + 1
            given["position_ids"] = rows[POSITION].T[..., None] if rows[POSITION].shape[1] > 1 else rows[POSITION]
        logits: Tensor = self.site.speaker(**given).logits[:, -1].float()
        return logits

    def _text(self, at: Pass, told: str) -> BatchPrompt:
        """The text's own prompt, a row for each of the call's."""
        ids = torch.cat([ids for ids, _ in at.stream.ids], 1) if at.stream.ids else None
        if ids is None or ids.shape[1] != at.stream.prompt:
            raise Unsupported(f"{told} and needs all of its token ids; pass input_ids to the model.")
        mask = at.stream.ids[-1][1]
        mask = torch.ones_like(ids) if mask is None else mask[:, : ids.shape[1]].to(ids.dtype)
        source = self.site.following.given[0] if self.site.following.given else at.asked
        known = _parameters(self.site.model)
        inputs = {name: value for name, value in source.items() if name in known and isinstance(value, Tensor) and name not in _NO_INPUTS}
        for name in ("input_ids", "attention_mask", "position_ids", "inputs_embeds"):
            inputs.pop(name, None)
        return BatchPrompt(ids, mask, _positions(at.kwargs, ids), inputs)


def without_image(prompt: BatchPrompt, image: Bool[Tensor, "row position"]) -> BatchPrompt:
    """The prompt without its image's tokens, padded on the left again; positions are counted anew.

    Parameters
    ----------
    image : which tokens are the image's, "row position"
    """
    stays = prompt.mask.bool() & ~image
    length = int(stays.sum(1).max())
    # tokens that stay, in their order, behind those that go
    order = stays.long().argsort(dim=1, stable=True)[:, -length:]
    mask = stays.gather(1, order).to(prompt.mask.dtype)
    ids = prompt.ids.gather(1, order)
    types = {name: prompt.inputs[name].gather(1, order) for name in TYPES if name in prompt.inputs}
    return BatchPrompt(ids, mask, (mask.cumsum(1) - 1).clamp_min(0), types, image=False)


def behind_image(
    prompt: BatchPrompt, image: Bool[Tensor, "row position"], bos: Bool[Tensor, "row position"], tokens: Int[Tensor, " token"]
) -> BatchPrompt:
    """The prompt with `tokens` behind the last of its image, and behind the token that opens its text; all that follows moves on.

    Parameters
    ----------
    image, bos : which tokens are the image's, and which opens the text: Q-Former tokens stand before it
    """
    rows, more, length = len(prompt.ids), len(tokens), prompt.ids.shape[1]
    cut = length - (image | bos).flip(1).int().argmax(1)
    place = torch.arange(prompt.ids.shape[1] + more, device=prompt.ids.device).expand(rows, -1)
    inserted = (place >= cut[:, None]) & (place < cut[:, None] + more)
    origin = torch.where(place < cut[:, None], place, (place - more).clamp_min(0))
    number = (place - cut[:, None]).clamp(0, more - 1)
    ids = torch.where(inserted, tokens.to(prompt.ids)[number], prompt.ids.gather(1, origin))
    mask = torch.where(inserted, 1, prompt.mask.gather(1, origin))
    types = {name: torch.where(inserted, 0, prompt.inputs[name].gather(1, origin)) for name in TYPES if name in prompt.inputs}
    positions = prompt.positions
    if positions is not None:
        moved = positions.gather(-1, origin.expand(*positions.shape[:-1], -1))
        start = positions.gather(-1, cut[:, None].clamp_max(positions.shape[-1] - 1).expand(*positions.shape[:-1], 1))
        moved = moved + torch.where(place >= cut[:, None] + more, more, 0)
        positions = torch.where(inserted, start + number, moved)
    return BatchPrompt(ids, mask, positions, {**prompt.inputs, **types})


def refuse_chunks(method: str, module: torch.nn.Module, given: Mapping[str, Any]) -> None:
    """Refuse a prompt that is fed in chunks, of which a branch with an image would see the last alone.

    Raises
    ------
    Unsupported
    """
    if option(module, given, "prefill_chunk_size") is not None:
        raise Unsupported(f"{method} runs a second branch from the whole prompt in one pass; leave prefill_chunk_size out.")


def _tiled(prompt: BatchPrompt, times: int) -> BatchPrompt:
    """All rows again and again: then pixels, whichever way a family lays them out, are in order too."""
    if times == 1:
        return prompt
    inputs = {name: torch.cat([value] * times) for name, value in prompt.inputs.items()}
    positions = None if prompt.positions is None else torch.cat([prompt.positions] * times, -2)
    blank = None if prompt.blank is None else torch.cat([prompt.blank] * times)
    return BatchPrompt(torch.cat([prompt.ids] * times), torch.cat([prompt.mask] * times), positions, inputs, prompt.image, blank)


def _positions(kwargs: Mapping[str, Any], ids: Tensor) -> Tensor | None:
    """Positions that the text's prompt was given, a row for each of the call's."""
    positions = kwargs.get("position_ids")
    if not isinstance(positions, Tensor) or positions.shape[-1] != ids.shape[1]:
        return None
    if positions.shape[-2] > len(ids):
        return positions[..., :: positions.shape[-2] // len(ids), :]
    return positions.expand(*positions.shape[:-2], len(ids), -1)


def _rows(kwargs: Mapping[str, Any]) -> int:
    ids: Tensor | None = kwargs.get("input_ids")
    return len(kwargs["inputs_embeds"] if ids is None else ids)


def _parameters(module: torch.nn.Module) -> frozenset[str]:
    return frozenset(inspect.signature(type(module).forward).parameters)
