"""Pure maths on the newest attention row and on cached states: no model, no state, no I/O.

Shapes: "row" is a sequence of the batch (or a beam), "head" a query head, "kv" a key/value head, "key" a cached position,
"channel" a dimension of one head. Everything is computed in float32, whatever the model's own precision: in bfloat16 a rounded score
moves an entropy by up to a nat.
"""

import math

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

TINY = torch.finfo(torch.float32).tiny


def newest_row_scores(
    query: Float[Tensor, "row head query channel"],
    key: Float[Tensor, "row kv key channel"],
    scaling: float | None = None,
    softcap: float | None = None,
    position_bias: Float[Tensor, "_ _ _ _"] | None = None,
) -> Float[Tensor, "row head key"]:
    """Attention scores (logits, float32) of the last query against every cached key, grouped-query heads included.

    Parameters
    ----------
    scaling : factor of q.k; None means channel ** -0.5
    softcap : c in c * tanh(score / c), as in Gemma 2
    position_bias : additive bias whose last query row is used, broadcast over rows and heads
    """
    rows, heads, _, channels = query.shape
    kv, keys = key.shape[1], key.shape[2]
    scaling = channels**-0.5 if scaling is None else scaling
    newest = query[:, :, -1].float() * scaling
    # heads of one group share their keys: a (group x channel) matrix against each key head, instead of repeating the keys; one product of
    # matrices in a row, as matmul would make of it, with less around it
    grouped = newest.view(rows * kv, heads // kv, channels)
    scores = torch.bmm(grouped, key.float().flatten(0, 1).transpose(-1, -2)).view(rows, heads, keys)
    if softcap is not None:
        scores = torch.tanh(scores / softcap) * softcap
    if position_bias is not None:
        scores = scores + position_bias[:, :, -1, :keys].float()
    return scores


def mask_scores(scores: Float[Tensor, "*layer row head key"], mask: Tensor | None) -> Float[Tensor, "*layer row head key"]:
    """Scores with hidden keys at -inf (boolean mask, True = visible) or with the additive mask added.

    The mask is one that `sdpa` or `eager` attention receives, "row 1|head query key"; its last query row is used.
    """
    if mask is None:
        return scores
    last = mask[:, :, -1, : scores.shape[-1]]
    return scores.masked_fill(~last, -math.inf) if last.dtype == torch.bool else scores + last.float()


def visible_keys(mask: Tensor | None, keys: int) -> Bool[Tensor, "row key"] | None:
    """Which keys the newest query may see; None where it sees all of them. A mask that differs by head counts what any head sees."""
    if mask is None:
        return None
    last = mask[:, :, -1, :keys]
    last = last if last.dtype == torch.bool else last > torch.finfo(last.dtype).min / 2
    return last.any(1)


def newest_row_probabilities(
    query: Float[Tensor, "row head query channel"],
    key: Float[Tensor, "row kv key channel"],
    mask: Tensor | None = None,
    scaling: float | None = None,
    softcap: float | None = None,
    position_bias: Float[Tensor, "_ _ _ _"] | None = None,
) -> Float[Tensor, "row head key"]:
    """Attention probabilities of the last query (sum to one over keys), float32, without an attention map."""
    return mask_scores(newest_row_scores(query, key, scaling, softcap, position_bias), mask).softmax(-1)


def row_entropy(probabilities: Float[Tensor, "*row key"]) -> Float[Tensor, "*row"]:
    """Entropy of each attention row, in nat: -sum p ln p, with 0 ln 0 = 0.

    Source: the token's own score z_t of KVSmooth (arXiv 2602.04268).
    """
    # the clamp keeps 0 * ln 0 finite; a product and a vectorised log take half the time of torch.special.entr on a CPU
    return -(probabilities * probabilities.clamp_min(TINY).log()).sum(-1)


def group_mass(
    probabilities: Float[Tensor, "row head key"], groups: Int[Tensor, "row key"], n_groups: int
) -> Float[Tensor, "row head {n_groups}"]:
    """Attention mass that each group of keys receives; keys of group -1 (padding) count nowhere."""
    indicator = torch.nn.functional.one_hot(groups.clamp_min(-1) + 1, n_groups + 1)[..., 1:]
    return torch.matmul(probabilities, indicator.to(probabilities.dtype))


def percentile_rank(
    queue: Float[Tensor, " length *score"], score: Float[Tensor, "*score"], rank: str = "strict", divisor: str = "window"
) -> Float[Tensor, "*score"]:
    """Share of the queue that lies below `score`; NaN marks an empty place of the queue.

    Parameters
    ----------
    queue : the last scores, `score` itself included
    rank : "strict" counts entries < score, "inclusive" entries <= score, "mid" the mean of the two
    divisor : "window" divides by the queue's capacity even while it fills, "length" by the entries it holds
    """
    below = (queue < score).sum(0)
    if rank == "inclusive":
        below = (queue <= score).sum(0)
    elif rank == "mid":
        below = (below + (queue <= score).sum(0)) * 0.5
    return below / (queue.shape[0] if divisor == "window" else (queue == queue).sum(0).clamp_min(1))


def ema(newest: Float[Tensor, "*state"], previous: Float[Tensor, "*state"], rate: Float[Tensor, "..."]) -> Float[Tensor, "*state"]:
    """Exponential moving average (1 - rate) newest + rate previous; rate 0 returns `newest` to the bit.

    Source: KVSmooth (arXiv 2602.04268): the MAP estimate of a Gaussian random walk.
    """
    return newest + rate * (previous - newest)


def relative_change(change: Float[Tensor, "*layer kv channel"], raw: Float[Tensor, "*layer kv channel"]) -> Float[Tensor, "*layer"]:
    """||change|| / ||raw|| over all heads of a state, 1."""
    moved, length = (torch.linalg.vector_norm(states, dim=(-2, -1)) for states in (change, raw))
    share: Tensor = moved / length.clamp_min(TINY)
    return share


def rotate_half(states: Float[Tensor, "*state channel"]) -> Float[Tensor, "*state channel"]:
    """(x1, x2) -> (-x2, x1) on the two halves of the channels: a quarter turn of every rotary pair."""
    first, second = states.chunk(2, -1)
    return torch.cat((-second, first), -1)


def rope_shift(
    keys: Float[Tensor, "*state channel"], angles: Float[Tensor, "..."], positions: float | int = 1
) -> Float[Tensor, "*state channel"]:
    """Rotated keys moved on by `positions`: R(p + positions) k from R(p) k, since rotations compose.

    Parameters
    ----------
    angles : rad per position of each rotary pair (the embedding's inverse frequencies), last dimension "pair"; channels beyond
        2 * pair are not rotary and stay
    """
    turn = torch.cat((angles, angles), -1) * positions
    rotary = turn.shape[-1]
    turned = keys[..., :rotary] * turn.cos() + rotate_half(keys[..., :rotary]) * turn.sin()
    return turned if rotary == keys.shape[-1] else torch.cat((turned, keys[..., rotary:]), -1)


def angle(a: Float[Tensor, "*state channel"], b: Float[Tensor, "*state channel"]) -> Float[Tensor, "*state"]:
    """Angle between two vectors, rad, in [0, pi]; accurate for tiny angles too, where acos of a cosine is not.

    Source: W. Kahan, 2 atan2(||a' - b'||, ||a' + b'||) on unit vectors.
    """
    a = a.float() / torch.linalg.vector_norm(a.float(), dim=-1, keepdim=True).clamp_min(TINY)
    b = b.float() / torch.linalg.vector_norm(b.float(), dim=-1, keepdim=True).clamp_min(TINY)
    return 2 * torch.atan2(torch.linalg.vector_norm(a - b, dim=-1), torch.linalg.vector_norm(a + b, dim=-1))
