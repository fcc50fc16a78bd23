"""Transformers' own eager loop with an attention that a test computes itself, in float64."""

from contextlib import contextmanager

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

from tests import zoo

NAME = "slow_loop"


class SlowLoop:
    """An attention function whose `weigh` says what becomes of scores and mask; it counts the tokens that were fed."""

    def __init__(self, method, inputs):
        self.method, self.real = method, inputs["attention_mask"].bool().tolist()
        self.fed = 0

    def attend(self, module, query, key, value, mask, scaling=None, **kwargs):
        queries, keys, group = query.shape[2], key.shape[2], query.shape[1] // key.shape[1]
        if module.layer_idx == 0:
            self.fed += queries
        scores = (query.double() @ key.double().repeat_interleave(group, 1).transpose(-1, -2)) * scaling
        if mask is None:
            mask = torch.zeros(1, 1, queries, keys).masked_fill(torch.ones(queries, keys).triu(keys - queries + 1) > 0, -torch.inf)
        weights = self.weigh(module.layer_idx, query.double(), key.double(), scores, mask[..., :keys].double())
        output = (weights @ value.double().repeat_interleave(group, 1)).transpose(1, 2)
        return output.to(query.dtype), weights.to(query.dtype)

    def is_real(self, row, place):
        """Whether a token is no padding: what was written is not."""
        return place >= len(self.real[row]) or self.real[row][place]

    @contextmanager
    def on(self, model):
        """The model attends slowly."""
        AttentionInterface.register(NAME, self.attend)
        AttentionMaskInterface.register(NAME, ALL_MASK_ATTENTION_FUNCTIONS["eager"])
        decoder = zoo.decoder_of(model)
        decoder.set_attn_implementation(NAME)
        try:
            yield
        finally:
            decoder.set_attn_implementation("eager")
