"""The view of a whole text: every position is a token, and tokens are keys. For afterwards, not for decoding."""

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from kvsmooth.sinks.positions import HIDDEN
from kvsmooth.sinks.view import ABSENT, Prompt, View


def whole(
    query: Float[Tensor, "row head position channel"],
    key: Float[Tensor, "row kv position channel"],
    value: Float[Tensor, "row kv position channel_v"],
    hidden: Float[Tensor, "row position width"] | None = None,
    mask: Tensor | None = None,
    scaling: float | None = None,
    softcap: float | None = None,
    tokens: Int[Tensor, "row position"] | None = None,
    visible: Bool[Tensor, "row position"] | None = None,
    counted: Bool[Tensor, "row position"] | None = None,
    prompt: Prompt | None = None,
) -> View:
    """One layer's `View` (a layer axis of 1) from what its attention received; logits and rows in float32, as whole maps.

    Parameters
    ----------
    query, key, value : rotated, as attention received them
    hidden : states at the input of the layer
    mask : "row 1|head query key", boolean (True = visible) or additive; None is the causal mask; "row key" narrows `visible`,
        under the causal mask
    scaling : factor of q.k; None means channel ** -0.5
    softcap : c in c * tanh(logit / c)
    tokens : ids
    visible : positions that hold a token; None where all do. Rows of the others are zero. Give it wherever there is padding: by a mask of
        four dimensions alone detectors count padded positions as first tokens, as queries and as positions
    counted : positions that detectors with a `keys` option, and `ColumnProduct`, count
    prompt : of the prompt's positions only, by `kvsmooth.sinks.prompt.prompt_statistics`
    """
    positions, channels = query.shape[2:]
    if mask is not None and mask.dim() == 2:
        visible = mask.bool() if visible is None else visible & mask.bool()
        mask = None
    keys = key.float().repeat_interleave(query.shape[1] // key.shape[1], 1)
    logits = (query.float() * (channels**-0.5 if scaling is None else scaling)) @ keys.transpose(-1, -2)
    if softcap is not None:
        logits = torch.tanh(logits / softcap) * softcap
    if mask is None:
        sees = torch.ones(positions, positions, dtype=torch.bool, device=query.device).tril()
    else:
        mask = mask[..., :positions, :positions]
        sees = mask if mask.dtype == torch.bool else mask.float() > HIDDEN
        if mask.dtype != torch.bool:
            logits = logits + mask.float().where(sees, 0.0)
    if visible is not None:  # a padded query may see anything: its output is never read
        sees = sees & visible[:, None, None] & visible[:, None, :, None]
    logits = logits.masked_fill(~sees, -torch.inf)
    probabilities = logits.softmax(-1).nan_to_num(0.0)  # a row that sees nothing
    return View(
        probabilities=probabilities[None],
        logits=logits[None],
        keys=key[None],
        values=value[None],
        key=key[None],
        value=value[None],
        hidden=ABSENT if hidden is None else hidden[None],
        prompt=ABSENT if prompt is None else prompt,
        tokens=ABSENT if tokens is None else tokens,
        visible=visible,
        counted=counted,
    )
