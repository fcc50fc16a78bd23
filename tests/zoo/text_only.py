"""Text models alone, which can be smoothed as well; Mistral's layers all slide."""

import torch
import transformers as hf

from tests.zoo.parts import BOS, TEXT, left_padded


def _prompts(batch: int) -> dict[str, torch.Tensor]:
    long, short = [BOS, 5, 9, 7, 11, 13, 4, 8, 15, 22, 31], [BOS, 5, 9, 13, 4, 40, 41, 17]
    return left_padded([long if row % 2 == 0 else short for row in range(batch)])


def llama(batch):
    return hf.LlamaForCausalLM, hf.LlamaConfig(**TEXT), _prompts(batch)


def qwen3(batch):
    return hf.Qwen3ForCausalLM, hf.Qwen3Config(**TEXT, head_dim=8), _prompts(batch)


def mistral(batch):
    return hf.MistralForCausalLM, hf.MistralConfig(**TEXT, sliding_window=8), _prompts(batch)


FAMILIES = (llama, qwen3, mistral)
