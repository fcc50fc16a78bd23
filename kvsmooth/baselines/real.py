"""Which tokens of a prompt, and which keys of a layer, are real: padding counts for nothing."""

import torch
from jaxtyping import Bool
from torch import Tensor

from kvsmooth.baselines.site import Site
from kvsmooth.errors import Unsupported

REAL = "real"


def real_tokens(site: Site, rows: int, device: torch.device) -> Bool[Tensor, "row position"]:
    """Which tokens of the present pass's prompt are no padding, kept once for each row of the batch.

    Raises
    ------
    Unsupported : a pass of embeddings alone does not say
    """
    stream, kept = site.following.present, site.following.kept()
    if kept is None:
        raise RuntimeError("real tokens are asked for in a pass that is not followed.")
    total = stream.start + stream.prompt
    if REAL not in kept.rows or kept.rows[REAL].shape[1] != total:
        ids, mask = stream.ids[-1] if stream.ids else (None, None)
        if ids is None or (mask is not None and (mask.dim() != 2 or mask.shape[1] < total)):
            raise Unsupported(
                f"{site.method} asks which of the {total} prompt positions are padding; pass input_ids and the attention_mask of the whole "
                "prompt to the model."
            )
        real = torch.ones(len(ids), total, dtype=torch.bool) if mask is None else mask[:, :total] != 0
        kept.rows[REAL] = real.repeat_interleave(rows // len(real), 0).to(device)
    return kept.rows[REAL]


def real_keys(real: Bool[Tensor, "row position"], keys: int, seen: int) -> Bool[Tensor, "row key"]:
    """The real ones on a layer's key axis; what was written since the prompt is real, and the unused end of a static cache is not.

    Parameters
    ----------
    real : of the prompt's tokens
    keys : length of the key axis
    seen : tokens fed so far; a sliding layer has dropped those before the last `keys`
    """
    written = torch.ones(len(real), max(0, seen - real.shape[1]), dtype=torch.bool, device=real.device)
    held = torch.cat((real, written), 1)[:, :seen][:, max(0, seen - keys) :]
    return torch.nn.functional.pad(held, (0, keys - held.shape[1]))


def real_queries(real: Bool[Tensor, "row position"], queries: int, seen: int) -> Bool[Tensor, "row query"]:
    """The real ones of the queries of the present pass, the last of `seen` tokens."""
    return real_keys(real, queries, seen)


def places(real: Bool[Tensor, "row position"], queries: int, seen: int) -> Tensor:
    """How many real tokens stand before each query of the present pass, "row query"."""
    return real_keys(real, seen, seen).cumsum(1)[:, -queries:] - 1
