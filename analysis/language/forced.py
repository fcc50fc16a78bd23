"""Teacher forcing: each token of a text is fed in turn, inside a method or not, and what the model thought of it is kept."""

from collections.abc import Sequence
from contextlib import nullcontext
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor

from kvsmooth import KVSmooth
from probes.growing_cache import growing_cache


@torch.no_grad()
def forced_nll(
    model: Any, texts: Sequence[Int[Tensor, " _"]], prefix: int, method: KVSmooth | None = None
) -> tuple[Float[Tensor, "row token"], Any]:
    """Negative log-likelihood of every token that a smoothed step predicts, nat, and the method's run.

    The first `prefix` tokens are read together, as a prompt is; those behind are fed one by one, as in decoding. NaN stands where no
    smoothed step predicts a token: up to and including the first behind the prefix, and behind the end of a text.

    Parameters
    ----------
    texts : tokens of each row, more than `prefix` + 1 of them
    method : None smooths nothing
    """
    lengths = torch.tensor([len(ids) for ids in texts])
    if int(lengths.min()) < prefix + 2:
        raise ValueError(f"forced_nll: a text of {int(lengths.min())} tokens leaves nothing to predict behind a prefix of {prefix}.")
    rows = torch.nn.utils.rnn.pad_sequence(list(texts), batch_first=True).to(model.device)
    found = torch.full(rows.shape, torch.nan)
    with nullcontext() if method is None else method(model) as run:
        cache = growing_cache(model)
        model(input_ids=rows[:, :prefix], past_key_values=cache, use_cache=True, logits_to_keep=1)
        for step in range(prefix, rows.shape[1] - 1):
            logits = model(input_ids=rows[:, step : step + 1], past_key_values=cache, use_cache=True, logits_to_keep=1).logits[:, -1]
            found[:, step + 1] = _nll(logits, rows[:, step + 1])
    return found.masked_fill(torch.arange(rows.shape[1]) >= lengths[:, None], torch.nan), run


@torch.no_grad()
def text_nll(model: Any, texts: Sequence[Int[Tensor, " _"]]) -> Float[Tensor, "row token"]:
    """The same of whole texts in one pass, without a method: every token but the first. NaN behind the end of a text."""
    lengths = torch.tensor([len(ids) for ids in texts])
    rows = torch.nn.utils.rnn.pad_sequence(list(texts), batch_first=True).to(model.device)
    found = torch.full(rows.shape, torch.nan)
    for row, ids in enumerate(rows):  # a row at a time: the scores of a whole batch over a large vocabulary would not fit
        hidden = model(input_ids=ids[None, : lengths[row]], use_cache=False).logits[0]
        found[row, 1 : lengths[row]] = _nll(hidden[:-1], ids[1 : lengths[row]])
    return found


def _nll(logits: Tensor, targets: Tensor) -> Float[Tensor, " row"]:
    return torch.nn.functional.cross_entropy(logits.float(), targets, reduction="none").cpu()
