"""What detectors keep of a prompt's hidden states, taken from its visible positions."""

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from kvsmooth.sinks.channels import massive_channels
from kvsmooth.sinks.view import Prompt


def prompt_statistics(hidden: Float[Tensor, "row position channel"], visible: Bool[Tensor, "row position"] | None = None) -> Prompt:
    """`Prompt` of one layer (a layer axis of 1), in float32.

    Medians are the lower of the two middle values where their number is even. Massive channels are those of
    `kvsmooth.sinks.channels.RULE`, found for each row by itself, and in these states: the rule speaks of a layer's output, this is its
    input.

    Parameters
    ----------
    hidden : states at the input of the layer
    visible : positions that hold a token; None where all do. Everything else, padding and later tokens, is left out

    Raises
    ------
    ValueError : a row has no visible position
    """
    if visible is None:
        visible = torch.ones(hidden.shape[:2], dtype=torch.bool, device=hidden.device)
    if not bool(visible.any(1).all()):
        raise ValueError("prompt_statistics.visible must hold a visible position in every row; a row has none.")
    hidden = hidden.float()
    first = hidden[torch.arange(len(hidden), device=hidden.device), visible.int().argmax(1)]
    massive = torch.zeros(first.shape, dtype=torch.bool, device=hidden.device)
    norms, magnitudes = [], []
    for row, seen in enumerate(visible):
        states = hidden[row, seen]
        massive[row, list(massive_channels(states))] = True
        norms.append(torch.linalg.vector_norm(states, dim=-1).median())
        magnitudes.append(states.abs().median())
    return Prompt(first[None], torch.stack(norms)[None], torch.stack(magnitudes)[None], massive[None])
