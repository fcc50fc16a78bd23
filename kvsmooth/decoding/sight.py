"""The detector's view of the newest token: exactly the parts of `View` that it names in `needs`."""

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from kvsmooth.decoding.cache_slots import newest_pair
from kvsmooth.errors import Unsupported
from kvsmooth.measures import mask_scores, visible_keys
from kvsmooth.options import Options
from kvsmooth.sinks import Prompt, View
from kvsmooth.sinks.needs import needs_of

PROMPT_PARTS = tuple(each.name for each in fields(Prompt))  # by name: a compiled step cannot ask a dataclass for its fields
WHOLE_CACHE = frozenset({"keys", "values"})


@dataclass
class Newest:
    """One layer's attention at the present step: its states, and scores (or probabilities) of the newest row."""

    key: Float[Tensor, "row kv key channel"]
    value: Float[Tensor, "row kv key channel_v"]
    row: Float[Tensor, "row head key"]
    mask: Tensor | None
    explicit: bool  # `row` holds probabilities, not scores
    scores: Float[Tensor, "row head key"] | None = None  # before the mask, where `row` is explicit and a detector needs them
    hidden: Float[Tensor, "row width"] | None = None  # at the input of the layer, where a detector needs it


@dataclass(frozen=True)
class StepContext:
    """What all layers of a step share, and of the prompt what each layer keeps.

    Parameters
    ----------
    counted : the detector's `keys` option on the key axis
    tokens : ids of the newest tokens
    prompts : of the layers at hand, in their order
    slots : places of the previous and newest token in a static cache
    """

    counted: Bool[Tensor, "row key"] | None = None
    tokens: Int[Tensor, " row"] | None = None
    prompts: tuple[Prompt, ...] = ()
    slots: Int[Tensor, "2"] | None = None


def score_newest(method: Options, items: list[Newest], shared: StepContext, heads: int) -> Float[Tensor, "layer row *head"]:
    """Scores of the newest token in these layers, by head where the method asks for that."""
    needs = needs_of(method.score)
    # a stacked copy of the whole cache would double its memory, and layers may see different keys
    if len(items) > 1 and (needs & WHOLE_CACHE or any(item.mask is not items[0].mask for item in items)):
        parts = [replace(shared, prompts=shared.prompts[i : i + 1]) for i in range(len(items))]
        return torch.cat([score_newest(method, [item], part, heads) for item, part in zip(items, parts, strict=True)])
    scores = method.score(_seen(needs, items, shared, method.heads == "mean_row"))
    expected, shape = (len(items), len(items[0].row)), tuple(getattr(scores, "shape", ()))
    if len(shape) != 4 or shape[:2] != expected or shape[3] != 1 or heads % shape[2]:
        raise Unsupported(
            f'KVSmooth.score must give "layer row head token" = {expected}, a number of heads that divides {heads}, 1; got {shape}.'
        )
    of_heads: Tensor = scores.squeeze(-1).float()
    if method.heads != "per_head":
        return of_heads.mean(-1)
    # a detector may score key/value heads, or all heads at once
    return of_heads.repeat_interleave(heads // of_heads.shape[-1], -1)


def _seen(needs: frozenset[str], items: list[Newest], shared: StepContext, mean_row: bool) -> View:
    mask, keys = items[0].mask, items[0].row.shape[-1]
    parts: dict[str, Any] = {"visible": visible_keys(mask, keys), "counted": shared.counted}
    if "probabilities" in needs or (mean_row and "logits" in needs):
        rows = torch.stack([item.row for item in items])
        probabilities = rows if items[0].explicit else mask_scores(rows, mask).softmax(-1)
        parts["probabilities"] = (probabilities.mean(2, keepdim=True) if mean_row else probabilities).unsqueeze(3)
    if "logits" in needs:
        rows = torch.stack([item.row if item.scores is None else item.scores for item in items])
        # of an averaged row: logits whose softmax it is
        parts["logits"] = (parts["probabilities"].squeeze(3).log() if mean_row else _hide(rows, mask)).unsqueeze(3)
    for whole, own, states in (("keys", "key", [item.key for item in items]), ("values", "value", [item.value for item in items])):
        if whole in needs:
            parts[whole] = torch.stack(states).float()
        if own in needs:
            parts[own] = torch.stack([newest_pair(state, shared.slots)[:, :, 1:] for state in states]).float()
    if "hidden" in needs:
        parts["hidden"] = torch.stack([item.hidden for item in items if item.hidden is not None]).float().unsqueeze(2)
    if "prompt" in needs:
        parts["prompt"] = _joined(shared.prompts)
    if shared.tokens is not None and "tokens" in needs:
        parts["tokens"] = shared.tokens[:, None]
    return View(**parts)


def _hide(rows: Float[Tensor, "layer row head key"], mask: Tensor | None) -> Float[Tensor, "layer row head key"]:
    """Hidden keys at -inf, also where an additive mask only puts them very low."""
    if mask is None:
        return rows
    last = mask[:, :, -1, : rows.shape[-1]]
    if last.dtype == torch.bool:
        return rows.masked_fill(~last, -torch.inf)
    return (rows + last.float()).masked_fill(last <= torch.finfo(last.dtype).min / 2, -torch.inf)


def _joined(prompts: tuple[Prompt, ...]) -> Prompt:
    return Prompt(*[torch.cat([getattr(prompt, part) for prompt in prompts]) for part in PROMPT_PARTS])
