"""Attention maps written out in float64, the statistics by the formulas that define them, and the shapes they are asked in."""

import math

import torch

from kvsmooth.map_statistics import MapStatistics
from tests import rounding


def visible_by_rule(rows, queries, keys, mask, causal, window):
    """Which query sees which key, one at a time."""
    seen, real = [], None if mask is None else mask.bool().tolist()  # lists: a tensor takes a hundred times as long to ask one by one
    for row in range(rows):
        for query in range(queries):
            place = keys - queries + query
            for key in range(keys):
                late, far = causal and key > place, window is not None and key <= place - window
                seen.append(not (late or far) and (real is None or real[row][key]))
    return torch.tensor(seen).view(rows, 1, queries, keys)


def of_maps(maps, scores, groups, weights, padded):
    """The statistics of float64 probabilities "row head query key", by the formulas that define them."""
    maps = maps.masked_fill(padded[:, None, :, None], 0)
    count = 0 if groups is None else int(groups.max()) + 1
    return {
        "entropy": -(maps * maps.clamp_min(1e-300).log()).sum(-1),
        "mass": torch.stack([(maps * (groups == group)[:, None, None]).sum(-1) for group in range(count)], -1)
        if count
        else maps.new_zeros(*maps.shape[:3], 0),
        "column_sums": (maps * weights[:, None, :, None]).sum(2),
        "second_moment": (maps**2).sum(-1),
        "max_probability": maps.amax(-1),
        "logsumexp": scores.logsumexp(-1),
    }


def slow(query, key, seen, padded, scaling=None, softcap=None, groups=None, weights=None):
    query, key = query.double(), key.double().repeat_interleave(query.shape[1] // key.shape[1], 1)
    scores = (query.shape[-1] ** -0.5 if scaling is None else scaling) * query @ key.transpose(-1, -2)
    scores = scores if softcap is None else softcap * torch.tanh(scores / softcap)
    scores = scores.masked_fill(~seen, -math.inf).masked_fill(padded[:, None, :, None], -math.inf)
    weights = torch.ones(query.shape[0], query.shape[2]) if weights is None else weights
    return of_maps(scores.softmax(-1).nan_to_num(0), scores, groups, weights.double(), padded)


def assert_equal(found: MapStatistics, expected, share=rounding.SUM):
    for name, values in expected.items():
        mine = getattr(found, name)
        assert mine.dtype == torch.float32
        rounding.assert_close(mine, values, share, of=expected.get("logsumexp"), told=name)


def drawn(rows, heads, kv, queries, keys, channels=16, sink=0.0, deviation=1.0, dtype=torch.float32):
    query, key = torch.randn(rows, heads, queries, channels), torch.randn(rows, kv, keys, channels)
    along = torch.nn.functional.normalize(torch.randn(channels), dim=0)
    query, key = query * deviation, key.clone()
    query += along * channels**0.5
    key[:, :, 0] += along * sink
    return query.to(dtype), key.to(dtype)


CASES = {
    "plain": {},
    "full": {"causal": False},
    "grouped_heads": {"kv": 2},
    "one_key_head": {"kv": 1},
    "padded": {"pad": 7, "kv": 2},
    "padded_past_a_block": {"pad": 40},
    "hole": {"pad": 7, "hole": True},
    "padded_full": {"pad": 7, "causal": False},
    "after_a_cache": {"queries": 11, "pad": 7},
    "cross": {"queries": 60, "causal": False},
    "cross_padded": {"queries": 60, "pad": 7, "causal": False},
    "nothing_but_padding": {"pad": 50},
    "one_query": {"queries": 1, "pad": 3},
    "window": {"window": 9},
    "window_of_one": {"window": 1},
    "window_padded": {"window": 20, "pad": 7, "kv": 2},
    "window_after_a_cache": {"window": 5, "queries": 30},
    "softcap": {"softcap": 3.0, "kv": 2},
    "softcap_window": {"softcap": 3.0, "window": 12, "pad": 7},
    "scaling": {"scaling": 0.7},
}


def case(queries=50, keys=50, kv=4, pad=0, hole=False, causal=True, window=None, softcap=None, scaling=None, dtype=torch.float32):
    query, key = drawn(2, 4, kv, queries, keys, sink=4.0, dtype=dtype)
    mask = None
    if pad:
        mask = torch.ones(2, keys, dtype=torch.long)
        mask[1, :pad] = 0
        if hole:
            mask[1] = mask[1].roll(5)
    padded = torch.zeros(2, queries, dtype=torch.bool)
    if mask is not None and (causal or queries == keys):
        padded = mask[:, keys - queries :] == 0
    seen = visible_by_rule(2, queries, keys, mask, causal, window)
    more = {"groups": torch.randint(-1, 3, (2, keys)), "weights": torch.rand(2, queries)}
    options = {"causal": causal, "window": window, "softcap": softcap, "scaling": scaling}
    return query, key, mask, options, more, slow(query, key, seen, padded, scaling, softcap, **more), seen, padded
