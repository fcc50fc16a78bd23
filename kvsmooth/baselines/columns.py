"""Where the image, the text before it, and what was written since the prompt, stand on the key axis of a layer."""

from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from kvsmooth.baselines.kept import Kept
from kvsmooth.baselines.site import Site
from kvsmooth.decoding.stream import Stream
from kvsmooth.errors import Unsupported
from kvsmooth.spans import IMAGE, PADDING, token_groups

GROUPS = "groups"


@dataclass(frozen=True)
class Columns:
    """Keys of a layer, "row key".

    Attributes
    ----------
    image : tokens of an image or a video
    before : other tokens before the first of them, BOS included
    queries : of the queries dealt with, "row query": they stand behind the whole image
    written : tokens fed since the prompt, the newest included
    """

    image: Bool[Tensor, "row key"]
    before: Bool[Tensor, "row key"]
    queries: Bool[Tensor, "row query"]
    written: Bool[Tensor, "row key"]


def prompt_groups(site: Site, stream: Stream, kept: Kept, rows: int, device: torch.device) -> Int[Tensor, "row position"] | None:
    """The groups of the prompt's tokens (`kvsmooth.spans.token_groups`), once for each row of the batch.

    None where a branch beside the text has no image, as the negative prompt of guidance has none.

    Raises
    ------
    Unsupported : the ids are not known, or a row has no image
    """
    if GROUPS not in kept.rows or kept.rows[GROUPS].shape[1] != stream.start + stream.prompt:
        ids = torch.cat([ids for ids, _ in stream.ids], 1) if stream.ids else torch.empty(0, 0, dtype=torch.long)
        mask, total = (stream.ids[-1][1] if stream.ids else None), stream.start + stream.prompt
        if ids.shape[1] != total or (mask is not None and mask.shape[1] < total):
            raise Unsupported(
                f"{site.method} asks where the image is and needs the token ids of all {total} prompt positions; got {ids.shape[1]}: "
                "pass input_ids (and the attention_mask) of the whole prompt to the model."
            )
        groups = token_groups(site.model, ids, None if mask is None else mask[:, :total])
        if not groups.eq(IMAGE).any(1).all():
            if stream.aside:
                return None
            raise Unsupported(f"{site.method} changes what is seen of an image, and a prompt has none; leave it out for text alone.")
        kept.rows[GROUPS] = groups.repeat_interleave(rows // len(groups), 0).to(device)
    return kept.rows[GROUPS]


def columns(groups: Int[Tensor, "row position"], keys: int, seen: int, queries: int, first: int) -> Columns:
    """The columns of a layer.

    Parameters
    ----------
    keys : length of its key axis
    seen : tokens fed so far; a sliding layer has dropped those before the last `keys`
    queries, first : number of queries dealt with, and the position of the first
    """
    offset = max(0, seen - keys)
    image = groups.eq(IMAGE)
    before = (image.cumsum(1) == 0) & groups.ne(PADDING)
    last = groups.shape[1] - 1 - image.flip(1).int().argmax(1)
    place = torch.arange(first, first + queries, device=groups.device)
    written = _written(groups.shape[1], keys, seen, groups.device).expand(len(groups), -1)
    return Columns(_on_keys(image, offset, keys), _on_keys(before, offset, keys), place > last[:, None], written)


def written_columns(site: Site, prompt: str, query: Tensor, key: Tensor) -> Columns | None:
    """The columns of a decode step for a method that asks what was written, of no image; None in other passes."""
    stream = site.following.passed
    if site.following.kept() is None or stream is None or not site.following.decoding:
        return None
    none = torch.zeros(len(query), key.shape[2], dtype=torch.bool, device=key.device)
    written = _written(stream.start + stream.prompt, key.shape[2], stream.start + stream.fed, key.device)
    return Columns(none, none, torch.ones_like(none[:, :1]), written.expand(len(query), -1))


def seen_columns(site: Site, prompt: str, query: Tensor, key: Tensor) -> Columns | None:
    """The columns of the queries that a method deals with in the present pass of a layer; None where it deals with none.

    Parameters
    ----------
    prompt : queries of the prompt that are dealt with too: "none"; "last", its last token; "behind", all behind the image
    """
    following, stream = site.following, site.following.passed
    kept = following.kept()
    if kept is None or stream is None or not (following.decoding or prompt == "behind" or (prompt == "last" and stream.ready)):
        return None
    groups = prompt_groups(site, stream, kept, len(query), query.device)
    if groups is None:
        return None
    total = stream.start + stream.fed
    queries = 1
    if prompt == "behind" and not following.decoding:
        first = int((groups.shape[1] - groups.eq(IMAGE).flip(1).int().argmax(1)).min())
        queries = min(query.shape[2], total - first)
    return columns(groups, key.shape[2], total, queries, total - queries) if queries > 0 else None


def _written(prompt: int, keys: int, seen: int, device: torch.device) -> Bool[Tensor, " key"]:
    place = torch.arange(keys, device=device) + max(0, seen - keys)
    return (place >= prompt) & (place < seen)


def _on_keys(flags: Bool[Tensor, "row position"], offset: int, keys: int) -> Bool[Tensor, "row key"]:
    flags = flags[:, offset : offset + keys]
    return torch.nn.functional.pad(flags, (0, keys - flags.shape[1]))


def attention_scores(
    query: Float[Tensor, "row head query channel"], key: Float[Tensor, "row kv key channel"], options: dict[str, Any]
) -> Float[Tensor, "row head query key"]:
    """Scores of some queries before the mask, float32; `options` are those that transformers hands to an attention function."""
    rows, heads, queries, channels = query.shape
    kv = key.shape[1]
    scaling, softcap, bias = (options.get(name) for name in ("scaling", "softcap", "position_bias"))
    scaled = query.float() * (channels**-0.5 if scaling is None else scaling)
    grouped = scaled.reshape(rows, kv, (heads // kv) * queries, channels)
    scores = torch.matmul(grouped, key.float().transpose(-1, -2)).view(rows, heads, queries, key.shape[2])
    if softcap is not None:
        scores = torch.tanh(scores / softcap) * softcap
    return scores if bias is None else scores + bias[:, :, -queries:, : key.shape[2]].float()


def own_mask(mask: Tensor | None, queries: int, keys: int, device: torch.device) -> Float[Tensor, "_ _ query key"]:
    """The additive mask, float32, of the last `queries` queries; from a boolean mask, an additive one, or none, which is causal."""
    if mask is None:
        place = torch.arange(keys, device=device)
        hidden = place[None, :] > place[keys - queries :, None]
        return torch.zeros(1, 1, queries, keys, device=device).masked_fill(hidden, -torch.inf)
    last = mask[:, :, -queries:, :keys]
    if last.dtype == torch.bool:
        return torch.zeros(last.shape, device=device).masked_fill(~last, -torch.inf)
    return last.float()
