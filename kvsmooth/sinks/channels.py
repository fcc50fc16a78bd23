"""Channels that carry massive activations: a few coordinates that decide every cosine by themselves.

Published thresholds (an absolute value of 100, a thousand times the median, a root-mean-square ratio of 20) presuppose the width and
scale of 7B models; with fewer than 400 channels a ratio of 20 cannot even be reached. The rule here is a share of energy.
"""

from collections.abc import Iterable, Mapping

import torch
from jaxtyping import Float
from torch import Tensor

SHARE = 0.1
RATIO = 10.0
MOST = 4

RULE = (
    f"a channel d is a sink channel of a layer if at some prompt token x_d^2 is at least {SHARE:g} of that token's squared norm and |x_d| "
    f"at least {RATIO:g} times the median |x| over the layer's prompt tokens, in the layer's output; at most {MOST} a layer, by share"
)


def massive_channels(hidden: Float[Tensor, "token channel"]) -> dict[int, float]:
    """Channels that satisfy `RULE` among these tokens, with the largest share of one token's energy that each holds.

    After "massive activations" (Sun et al., arXiv 2402.17762), with the threshold as a share of energy instead of an absolute value.
    """
    hidden = hidden.float()
    if not len(hidden):
        return {}
    energy = hidden.square()
    share, token = (energy / energy.sum(1, keepdim=True).clamp_min(torch.finfo(energy.dtype).tiny)).max(0)
    shares, channels = share.topk(min(MOST, len(share)))
    massive = shares >= SHARE
    if massive.any():  # the median of a long prompt takes its time, and most layers of most models have no candidate
        massive &= hidden[token[channels], channels].abs() >= RATIO * hidden.abs().median()
    return dict(zip(channels[massive].tolist(), shares[massive].tolist(), strict=True))


def strongest(found: Iterable[Mapping[int, float]]) -> tuple[int, ...]:
    """The sink channels of a layer from what several sets of tokens showed: by number, at most `MOST`."""
    merged: dict[int, float] = {}
    for channels in found:
        for channel, share in channels.items():
            merged[channel] = max(share, merged.get(channel, 0.0))
    return tuple(sorted(sorted(merged, key=lambda channel: merged[channel], reverse=True)[:MOST]))
