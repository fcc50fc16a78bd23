"""What a zoo model's attention was given over whole texts, taken by a registered function and hooks, and the rows of eager attention."""

from dataclasses import dataclass

import torch
from transformers import AttentionInterface, AttentionMaskInterface
from transformers.masking_utils import ALL_MASK_ATTENTION_FUNCTIONS
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from kvsmooth.sinks import View
from kvsmooth.sinks.prompt import prompt_statistics
from kvsmooth.sinks.whole import whole
from probes.sequence import with_captions
from tests import zoo

NAME = "captured_sdpa"
NOT_SAID = [zoo.PAD, zoo.BOS, zoo.IMAGE, zoo.VIDEO, zoo.VISION_START, zoo.VISION_END]
"""Tokens that may not be generated: fed back, they would open another text or image."""


@dataclass
class Layer:
    """One layer: what attention received."""

    hidden: torch.Tensor
    query: torch.Tensor
    key: torch.Tensor
    value: torch.Tensor
    mask: torch.Tensor | None
    scaling: float
    softcap: float | None


@dataclass
class Text:
    """Whole texts of one model: layers, ids, which positions hold a token, which are prompt, which is the first of the generation."""

    layers: list[Layer]
    ids: torch.Tensor
    visible: torch.Tensor
    prompt: torch.Tensor
    start: int

    def seen(self, layer: int, counted: torch.Tensor | None = None) -> View:
        one = self.layers[layer]
        return whole(
            one.query,
            one.key,
            one.value,
            one.hidden,
            one.mask,
            one.scaling,
            one.softcap,
            tokens=self.ids,
            visible=self.visible,
            counted=counted,
            prompt=prompt_statistics(one.hidden, self.prompt),
        )


def generated(name: str, tokens: int = 5, batch: int = 2):
    """A model of the zoo, its inputs, and the tokens that it goes on with, all of them fed back but the last."""
    model, inputs = zoo.build(name, batch=batch)
    out = model.generate(**inputs, max_new_tokens=tokens, suppress_tokens=NOT_SAID)
    return model, inputs, out[:, -tokens:]


def _fed_back(model, inputs, said) -> dict:
    extended, _ = with_captions(model, inputs, said[:, :-1].tolist())
    mask = extended["attention_mask"]
    if (mask.diff() < 0).any():  # padding in the middle: `generate` numbers the positions that are there
        extended["position_ids"] = (mask.cumsum(-1) - 1).clamp_min(0)
    return extended


@torch.no_grad()
def of(model, inputs, said) -> Text:
    """One pass over prompt and what was said but its last token."""
    extended = _fed_back(model, inputs, said)
    decoder, taken, hidden = zoo.decoder_of(model), {}, {}

    def attend(module, query, key, value, mask, **kwargs):
        taken[module.layer_idx] = query, key, value, mask, kwargs["scaling"], kwargs.get("softcap")
        return ALL_ATTENTION_FUNCTIONS["sdpa"](module, query, key, value, mask, **kwargs)

    def keep(layer):
        def hook(module, args, kwargs):
            hidden[layer] = args[0] if args else kwargs["hidden_states"]

        return hook

    AttentionInterface.register(NAME, attend)
    AttentionMaskInterface.register(NAME, ALL_MASK_ATTENTION_FUNCTIONS["sdpa"])
    handles = [layer.register_forward_pre_hook(keep(i), with_kwargs=True) for i, layer in enumerate(decoder.layers)]
    before = decoder.config._attn_implementation
    decoder.set_attn_implementation(NAME)
    try:
        model(**extended, use_cache=False)
    finally:
        decoder.set_attn_implementation(before)
        for handle in handles:
            handle.remove()
    layers = [Layer(hidden[i], *taken[i]) for i in range(len(decoder.layers))]
    visible = extended["attention_mask"].bool()
    start = inputs["input_ids"].shape[1]
    prompt = visible.clone()
    prompt[:, start:] = False
    return Text(layers, extended["input_ids"], visible, prompt, start)


@torch.no_grad()
def eager_rows(name: str, inputs, said) -> list[torch.Tensor]:
    """Attention probabilities "row head query key" of each layer as transformers' own eager attention makes them."""
    model, _ = zoo.build(name, attn="eager", batch=len(said))
    extended = _fed_back(model, inputs, said)
    rows = {}

    def keep(layer):
        def hook(module, args, result):
            rows[layer] = result[1]

        return hook

    decoder = zoo.decoder_of(model)
    handles = [layer.self_attn.register_forward_hook(keep(i)) for i, layer in enumerate(decoder.layers)]
    model(**extended, use_cache=False)
    for handle in handles:
        handle.remove()
    return [rows[i] for i in range(len(decoder.layers))]
