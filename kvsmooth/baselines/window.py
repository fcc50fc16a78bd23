"""Keys of a sliding window, laid back on the prompt's positions."""

import torch
from jaxtyping import Float
from torch import Tensor


def on_prompt(row: Float[Tensor, "*rows key"], gone: int, positions: int) -> Float[Tensor, "*rows position"]:
    """Attention of a row by position of the prompt; 0 at those that have left the window, which may be all of them.

    Parameters
    ----------
    gone : positions before the first key
    positions : of the prompt
    """
    left = max(0, positions - gone)
    return torch.nn.functional.pad(row[..., :left], (positions - left, 0))
