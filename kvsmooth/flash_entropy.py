"""Entropy of attention rows from one more call of flash attention: where only the entropy is wanted, and no map."""

import torch
from jaxtyping import Float
from torch import Tensor

from kvsmooth.errors import Unsupported
from kvsmooth.map_statistics import check_parts, map_statistics, sink_keys
from kvsmooth.visibility import Visibility


@torch.no_grad()
def flash_entropy(
    query: Float[Tensor, "row head query channel"],
    key: Float[Tensor, "row kv key channel"],
    mask: Tensor | None = None,
    *,
    scaling: float | None = None,
    softcap: float | None = None,
    window: int | None = None,
    causal: bool = True,
) -> Float[Tensor, "row head query"]:
    """Entropy of softmax(scaling query.key), nat, float32, from flash attention with the keys as values: LSE - scaling query.mean key.

    Besides the model's own attention call this is one flash call more, and no scores are held at all. The identity needs scores that are
    linear in the keys and the call's log-sum-exp, which torch gives on a CPU. Elsewhere, and for a window, a 4-D mask or several queries
    after a cache, whose bias would have the size of a map, `map_statistics` is asked instead.

    Parameters
    ----------
    query, key, mask, scaling, window, causal : as of `map_statistics`; a padded query has entropy 0
    softcap : refused, for the scores are then not linear in the keys

    Raises
    ------
    Unsupported : a softcap
    ValueError : as `map_statistics`

    Notes
    -----
    Inputs are raised to float32 and taken relative to the sink's key first, since the identity subtracts two numbers that grow with the
    scores' common offset. NaN comes out as NaN for the queries that see it.
    """
    if softcap is not None:
        raise Unsupported(f"flash_entropy cannot serve scores with a softcap ({softcap}); use map_statistics(...).entropy.")
    queries, keys = query.shape[2], key.shape[2]
    check_parts("flash_entropy", query, key, mask)
    visible = Visibility(queries, keys, mask, causal, window)
    edge = causal and queries > 1  # the operator puts the causal edge of its first query at the first key
    banded = window is not None and window < keys
    nothing = not (query.numel() and keys)  # of which the operator divides by zero
    if nothing or query.device.type != "cpu" or visible.whole or banded or (edge and queries < keys):
        return map_statistics(query, key, mask, scaling=scaling, window=window, causal=causal).entropy
    scaling = query.shape[-1] ** -0.5 if scaling is None else scaling
    # relative to the sink the subtraction below cancels little: the sink's own share of the mean is zero
    asked, centred = query.float().contiguous(), key.float() - sink_keys(key, visible)
    bias = None
    if visible.tokens is not None:
        centred = centred.masked_fill(~visible.tokens[:, None, :, None], 0)  # a hidden NaN would still enter, as 0 * NaN
        bias = torch.zeros(visible.tokens.shape).masked_fill(~visible.tokens, -torch.inf)[:, None, None]
    flash = torch.ops.aten._scaled_dot_product_flash_attention_for_cpu
    mean, log = flash(asked, centred, centred, 0.0, edge, attn_mask=bias, scale=scaling)
    entropy: Tensor = (log - (asked * mean).sum(-1) * scaling).clamp_min(0)
    return entropy if visible.padded is None else entropy.masked_fill(visible.padded[:, None], 0)
