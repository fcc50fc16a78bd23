"""Language models of the user's: what cannot be read, or reads in both directions, is refused in a line."""

import json
import shutil

import pytest
import torch
from transformers import BertConfig, BertForMaskedLM

from analysis.language.models import language_model
from probes.command.cli import BadInput, Notice
from tests.analysis.language.words import saved_model, word_tokenizer

WORDS = "a dog sees the cat . it runs to a tree"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return saved_model(tmp_path_factory.mktemp("models") / "model", WORDS)


def refused(name, *words, told):
    with pytest.raises(BadInput, match=told) as raised:
        language_model(str(name), *words)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("device", "dtype", "told"),
    [
        ("cpu", "banana", "dtype must be one of"),
        ("banana", "float32", "device must be"),
        ("auto", "float32", "device"),
        ("cuda:99", "float32", "use cpu"),
    ],
)
def test_a_place_that_is_not_there(folder, device, dtype, told):
    refused(folder, device, dtype, told=told)


def test_folders_that_hold_no_such_model(folder, tmp_path):
    refused(tmp_path / "none", told="no such folder")
    torn = shutil.copytree(folder, tmp_path / "torn")
    weights = torn / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:100])
    refused(torn, told="no causal language model could be loaded")
    other = shutil.copytree(folder, tmp_path / "other")
    written = (other / "config.json").read_text(encoding="utf-8")
    (other / "config.json").write_text(written.replace('"intermediate_size": 32', '"intermediate_size": 48'), encoding="utf-8")
    refused(other, told="another shape")


def rewritten(folder, file="config.json", **changes):
    path = folder / file
    written = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    path.write_text(json.dumps({**written, **changes}), encoding="utf-8")
    return folder


def test_attention_that_cannot_be_read_is_loaded_as_usual(folder, tmp_path):
    asking = rewritten(shutil.copytree(folder, tmp_path / "flash"), _attn_implementation="flash_attention_2")
    with pytest.warns(Notice, match="config.json asks for flash_attention_2, whose rows cannot be read; loaded with transformers' usual"):
        assert language_model(str(asking)).model.config._attn_implementation == "sdpa"


def test_folders_that_are_no_model_of_transformers(folder, tmp_path):
    adapter = rewritten(shutil.copytree(folder, tmp_path / "lora"), "adapter_config.json", base_model_name_or_path="owner/base")
    refused(adapter, told=r"is an adapter \(LoRA\) of owner/base, not a whole model .*; merge it into that")
    settings = {"model_type": "llava_llama", "architectures": ["LlavaLlamaForCausalLM"], "mm_vision_tower": "openai/clip"}
    original = rewritten(shutil.copytree(folder, tmp_path / "original"), **settings)
    refused(original, told=r"is a checkpoint of the original LLaVA code .*; take the converted one")


def test_a_model_that_reads_in_both_directions(tmp_path):
    """Transformers loads BERT as a causal model too: its NLL of a token would know the token."""
    tokenizer = word_tokenizer(WORDS)
    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    BertForMaskedLM(BertConfig(vocab_size=len(tokenizer), initializer_range=0.3, **sizes)).save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    refused(tmp_path, told="reads in both directions")


def test_texts_that_the_model_has_no_places_or_rows_for(folder):
    read = language_model(str(folder))
    read.check([torch.tensor([0, len(read.tokenizer) - 1])])
    with pytest.raises(BadInput, match="do not belong together"):
        read.check([torch.tensor([0, len(read.tokenizer)])])
    places = read.model.config.max_position_embeddings
    with pytest.raises(BadInput, match=f"give --longest {places}"):
        read.check([torch.zeros(places + 1, dtype=torch.int64)])
