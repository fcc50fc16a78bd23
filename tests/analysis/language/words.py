"""A tiny language model of six layers and a tokenizer of whole words, saved as a folder that loads like a model of the hub."""

from pathlib import Path

import torch
from tokenizers import Tokenizer, models, pre_tokenizers
from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast


def word_tokenizer(text: str) -> PreTrainedTokenizerFast:
    """A tokenizer of the words of a text."""
    words = {word: i for i, word in enumerate(["<unk>", "</s>", *dict.fromkeys(text.split())])}
    made = Tokenizer(models.WordLevel(words, unk_token="<unk>"))
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="<unk>", eos_token="</s>", pad_token="</s>")


def saved_model(folder: Path, text: str, layers: int = 6) -> Path:
    """A random Llama over the words of a text."""
    tokenizer = word_tokenizer(text)
    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "intermediate_size": 32, "num_attention_heads": 2, "num_key_value_heads": 1}
    config = LlamaConfig(vocab_size=len(tokenizer), num_hidden_layers=layers, initializer_range=0.25, **sizes)
    LlamaForCausalLM(config).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder
