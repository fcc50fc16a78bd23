"""Whole texts, layer by layer: one forward pass over prompt and caption, for statistics that need every row of the attention map."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from kvsmooth.errors import Unsupported
from kvsmooth.spans import GENERATED, PADDING, VISUAL, token_groups
from probes.command.cli import BadInput
from probes.command.values import whole_tokens
from probes.subjects.item import Item
from probes.tracing.tracing import Tracing

TYPES = ("token_type_ids", "mm_token_type_ids")


@dataclass(frozen=True)
class LayerView:
    """One layer of a pass over whole texts: what its attention was given. Maps are computed when they are asked for, and not kept.

    Attributes
    ----------
    layer : number of the decoder layer
    hidden : input of the layer, before its first norm
    query, key, value : as attention received them, rotated, in the model's own precision
    mask : as attention received it: boolean (True = visible) or additive, "row head|1 query key"; "row key"; or None
    visible : positions that hold a token, not padding
    scaling : factor of q.k; None means channel ** -0.5
    softcap : c in c * tanh(score / c); None means no cap
    causal : a query sees the keys up to itself where the mask does not say (None, or "row key")
    """

    layer: int
    hidden: Float[Tensor, "row position width"]
    query: Float[Tensor, "row head position channel"]
    key: Float[Tensor, "row kv position channel"]
    value: Float[Tensor, "row kv position channel_v"]
    mask: Tensor | None
    visible: Bool[Tensor, "row position"]
    scaling: float | None = None
    softcap: float | None = None
    causal: bool = True

    def logits(self) -> Float[Tensor, "row head query key"]:
        """Scores before softmax, float32; hidden keys and the rows of padded queries at -inf."""
        rows, heads, length, channels = self.query.shape
        kv = self.key.shape[1]
        scaled = self.query.float() * (channels**-0.5 if self.scaling is None else self.scaling)
        grouped = scaled.reshape(rows, kv, heads // kv * length, channels)
        scores = torch.matmul(grouped, self.key.float().transpose(-1, -2)).view(rows, heads, length, length)
        if self.softcap is not None:
            scores = torch.tanh(scores / self.softcap) * self.softcap
        if self.mask is not None and self.mask.dim() == 4 and self.mask.dtype != torch.bool:
            scores = scores + self.mask.float()
        return scores.masked_fill(~self.seen(), -torch.inf)

    def probabilities(self) -> Float[Tensor, "row head query key"]:
        """Attention probabilities, float32: each row sums to one, that of a padded query is zero."""
        return self.logits().softmax(-1).masked_fill(~self.visible[:, None, :, None], 0.0)

    def seen(self) -> Bool[Tensor, "row heads query key"]:
        """Which keys each query sees, none for a padded query; `heads` is 1 unless the mask differs between heads."""
        length = self.query.shape[2]
        if self.mask is not None and self.mask.dim() == 4:
            mask = self.mask[..., :length]
            allowed = mask if mask.dtype == torch.bool else mask > torch.finfo(mask.dtype).min / 2
        else:
            allowed = torch.ones(1, 1, length, length, dtype=torch.bool, device=self.query.device)
            allowed = allowed.tril() if self.causal else allowed
        return allowed & self.visible[:, None, :, None] & self.visible[:, None, None, :]


def layers_of(model: Any, inputs: Mapping[str, Any], visit: Callable[[LayerView], None]) -> None:
    """One forward pass over whole texts; `visit` is called with every layer, in order, and nothing of a layer is kept after it.

    Parameters
    ----------
    model : a subject, its `Tracing`, or a model
    inputs : of `generate`, with the caption behind the prompt: made by `texts` or `with_captions`

    Raises
    ------
    Unsupported : the model cannot be read, or attends to more than the given positions
    """
    ids, mask = inputs["input_ids"], inputs.get("attention_mask")
    visible = torch.ones_like(ids, dtype=torch.bool) if mask is None else mask.bool()

    def view(layer, hidden, query, key, value, mask, scaling, softcap, causal) -> None:
        if not query.shape[2] == key.shape[2] == visible.shape[1]:
            raise Unsupported(
                f"layer {layer} attends with {query.shape[2]} queries to {key.shape[2]} keys where the text has {visible.shape[1]} "
                "positions: whole texts are read without a cache and without chunks."
            )
        visit(LayerView(layer, hidden, query, key, value, mask, visible.to(query.device), scaling, softcap, causal))

    tracing_of(model).whole(dict(inputs), view)


def texts(subject: Any, items: Sequence[Item], captions: Sequence[Sequence[int]]) -> tuple[dict[str, Tensor], Int[Tensor, "row position"]]:
    """Inputs of `layers_of` for prompt + caption, padded on the left, and the group of every position.

    A generation feeds all of its tokens but the last: pass `predicted[:-1]` for the very keys that it held at its last step.

    Parameters
    ----------
    captions : tokens behind each prompt; an empty one leaves the prompt alone
    """
    inputs = subject.encode(items)
    return with_captions(subject.model, inputs, captions)


def with_captions(
    model: torch.nn.Module, inputs: Mapping[str, Any], captions: Sequence[Sequence[int]]
) -> tuple[dict[str, Any], Int[Tensor, "row position"]]:
    """Ready inputs with a caption behind each prompt, all rows ending at the same position, and the group of every position.

    Returns
    -------
    inputs : with an `attention_mask` in any case; what is not by position (pixels) is passed on
    groups : index into `kvsmooth.spans.GROUPS`, -1 for padding; caption tokens are `GENERATED`

    Raises
    ------
    BadInput : not one caption a row, or one with the token that stands for a piece of the image, as models may write it
    """
    ids = inputs["input_ids"]
    if len(captions) != len(ids):
        raise BadInput(f"with_captions.captions must hold one caption a row; got {len(captions)} for {len(ids)} rows.")
    mask = inputs.get("attention_mask")
    mask = torch.ones_like(ids) if mask is None else mask
    pad = getattr(getattr(model, "generation_config", None), "pad_token_id", None)
    pad = pad if isinstance(pad, int) else 0
    tails = [torch.as_tensor(whole_tokens(caption, "with_captions.captions"), dtype=ids.dtype, device=ids.device) for caption in captions]
    _check_tails(model, tails)
    extended = {
        **inputs,
        "input_ids": _joined(ids, tails, pad),
        "attention_mask": _joined(mask, [torch.ones_like(tail, dtype=mask.dtype) for tail in tails], 0),
    }
    for name in TYPES:
        if inputs.get(name) is not None:
            kinds = _generated_type(model, name, inputs[name])
            extended[name] = _joined(inputs[name], [kind.expand(len(tail)) for kind, tail in zip(kinds, tails, strict=True)], 0)
    groups = token_groups(model, ids, mask)
    return extended, _joined(groups, [torch.full_like(tail, GENERATED, dtype=groups.dtype) for tail in tails], PADDING)


def _check_tails(model: Any, tails: Sequence[Tensor]) -> None:
    """Refuse a caption that says the model's own image token: a word where it is fed alone, a place for a feature in a whole text."""
    places = {getattr(model.config, name, None) for name in VISUAL} - {None}
    for row, tail in enumerate(tails):
        if said := places & set(tail.tolist()):
            raise BadInput(
                f"with_captions.captions: row {row} holds the model's own image token {min(said)}, where a pass over the whole text wants "
                f"a piece of the image; leave that caption out, or generate with suppress_tokens [{min(said)}] (generation_config.json)."
            )


def _joined(fronts: Int[Tensor, "row position"], tails: Sequence[Tensor], fill: int) -> Int[Tensor, "row longer"]:
    """Each front with its tail behind it, and `fill` before it where the tail is shorter than the longest."""
    longest = max(map(len, tails))
    rows = [torch.cat((front.new_full((longest - len(tail),), fill), front, tail)) for front, tail in zip(fronts, tails, strict=True)]
    return torch.stack(rows)


def _generated_type(model: Any, name: str, types: Int[Tensor, "row position"]) -> Int[Tensor, "row 1"]:
    """The type that `generate` would give a generated token: a prefix language model must not count it to the prefix."""
    return model._update_model_kwargs_for_generation({}, {name: types})[name][:, -1:]


def tracing_of(model: Any) -> Tracing:
    """The `Tracing` of a subject or of a model; one that is given is taken as it is."""
    if isinstance(model, Tracing):
        return model
    return model.tracing if hasattr(model, "tracing") else Tracing(model)
