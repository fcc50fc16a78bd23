"""Methods that change attention scores once more, slowly: one query at a time, in float64, in transformers' own eager loop."""

from contextlib import contextmanager

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS

from tests import zoo

NAME = "slow_scores"


def image_bias(method, scores, image, before):
    for head in range(len(scores)):
        for column in image:
            scores[head, column] += method.strength[head] if isinstance(method.strength, tuple) else method.strength


def pai(method, scores, image, before):
    for head in range(len(scores)):
        for column in image:
            scores[head, column] += method.alpha * abs(scores[head, column])


def middle_layer(method, scores, image, before):
    for column in image:
        mean = sum(abs(float(scores[head, column])) for head in range(len(scores))) / len(scores)
        for head in range(len(scores)):
            scores[head, column] += method.alpha * mean


def vaf(method, scores, image, before):
    for head in range(len(scores)):
        for column in image:
            scores[head, column] *= method.image
        for column in before:
            scores[head, column] *= method.system


RULES = {rule.__name__: rule for rule in (image_bias, pai, middle_layer, vaf)}
QUERIES = {"image_bias": "decode", "pai": "last", "middle_layer": "last", "vaf": "behind"}
"""Queries of the prompt that are dealt with too."""


class Slow:
    """An attention function that changes scores by a rule, query by query."""

    def __init__(self, method, inputs, layers):
        self.method, self.layers = method, layers
        self.ids, self.mask = inputs["input_ids"], inputs["attention_mask"].bool()
        self.fed = 0

    def groups(self, row):
        image = [place for place, token in enumerate(self.ids[row].tolist()) if token == zoo.IMAGE]
        before = [place for place in range(image[0]) if self.mask[row, place] and place not in image]
        return image, before

    def attend(self, module, query, key, value, mask, scaling=None, **kwargs):
        rows, heads, queries, _ = query.shape
        keys, group = key.shape[2], heads // key.shape[1]
        if module.layer_idx == 0:
            self.fed += queries
        scores = (query.double() @ key.double().repeat_interleave(group, 1).transpose(-1, -2)) * scaling
        for row in range(rows):
            image, before = self.groups(row)
            for number in range(queries):
                place = self.fed - queries + number
                if module.layer_idx not in self.layers or not self.concerns(place, image):
                    continue
                gone = self.fed - keys
                held = [[column - gone for column in columns if column >= gone] for columns in (image, before)]
                RULES[self.method.name](self.method, scores[row, :, number], *held)
        if mask is None:
            hidden = torch.ones(queries, keys, dtype=torch.bool).triu(keys - queries + 1)
            scores = scores.masked_fill(hidden, -torch.inf)
        else:
            scores = scores + mask[..., :keys].double()
        weights = scores.softmax(-1)
        output = (weights @ value.double().repeat_interleave(group, 1)).transpose(1, 2)
        return output.to(query.dtype), weights.to(query.dtype)

    def concerns(self, place, image):
        prompt = self.ids.shape[1]
        if place >= prompt:
            return True
        kind = QUERIES[self.method.name]
        return place > image[-1] if kind == "behind" else kind == "last" and place == prompt - 1


@contextmanager
def slowly(model, method, inputs, layers):
    """The model's attention is the slow one."""
    decoder = zoo.decoder_of(model)
    AttentionInterface.register(NAME, Slow(method, inputs, layers).attend)
    AttentionMaskInterface.register(NAME, ALL_MASK_ATTENTION_FUNCTIONS["eager"])
    decoder.set_attn_implementation(NAME)
    try:
        yield
    finally:
        decoder.set_attn_implementation("eager")
