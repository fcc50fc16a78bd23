"""Sampling with one random stream per item, so that results depend neither on the rest of the batch nor on the worker."""

import hashlib
from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import LogitsProcessor


def stream_of(seed: int, key: str) -> torch.Generator:
    """A stream of random numbers for each seed and key."""
    mixed = hashlib.sha256(f"{seed}/{key}".encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(mixed[:8], "big") >> 1)


class Gumbel(LogitsProcessor):
    """Turns `generate`'s greedy choice into a draw from softmax(logits / temperature).

    The argmax of logits / temperature plus independent Gumbel noise is distributed as that softmax (Gumbel 1954; Maddison et al. 2014), so
    that each row can have a stream of its own, where `do_sample=True` draws a whole batch from one. Nothing is cut off: no top-k, no top-p.

    Parameters
    ----------
    temperature : above 0
    seed : of the run
    keys : of the rows' items; a row's stream is that of seed and key
    """

    def __init__(self, temperature: float, seed: int, keys: Sequence[str]):
        self.temperature = temperature
        self.streams = [stream_of(seed, key) for key in keys]

    def __call__(self, input_ids: Int[Tensor, "row position"], scores: Float[Tensor, "row token"]) -> Float[Tensor, "row token"]:
        width = scores.shape[1]
        waited = torch.stack([torch.empty(width).exponential_(generator=stream) for stream in self.streams])
        waited = waited.clamp_min(torch.finfo(torch.float32).tiny)  # a zero would be infinite noise, and NaN on a forbidden token
        return scores.float() / self.temperature - waited.log().to(scores.device)
