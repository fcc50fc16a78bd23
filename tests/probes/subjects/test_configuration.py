"""Configurations as they are met: attention that cannot be read, adapters, other people's formats, numbers that cannot be."""

import json

import pytest

from analysis.answering.memory import estimate
from probes.command.cli import BadInput, Notice
from probes.subjects import load_subject


@pytest.mark.parametrize("asked", ["flash_attention_2", "flex_attention"])
@pytest.mark.parametrize("key", ["_attn_implementation", "attn_implementation"])
def test_attention_that_cannot_be_read_is_loaded_as_usual(checkpoint, asked, key):
    checkpoint.settings(**{key: asked})
    with pytest.warns(Notice, match=f"config.json asks for {asked}, whose rows cannot be read; loaded with transformers' usual attention"):
        model = load_subject(checkpoint.name).model
    assert {module.config._attn_implementation for module in model.modules() if hasattr(module, "config")} == {"sdpa"}


def test_eager_attention_stays(checkpoint):
    checkpoint.settings(_attn_implementation="eager")
    assert load_subject(checkpoint.name).model.get_decoder().config._attn_implementation == "eager"


def original(folder):
    folder.settings(model_type="llava_llama", architectures=["LlavaLlamaForCausalLM"], mm_vision_tower="openai/clip-vit-large-patch14-336")


def adapter_alone(folder):
    folder.settings("adapter_config.json", base_model_name_or_path="llava-hf/llava-1.5-7b-hf")
    (folder.folder / "config.json").unlink()


DAMAGES = {
    "original LLaVA": (original, r"is a checkpoint of the original LLaVA code \(LlavaLlamaForCausalLM\), .*; take the converted one"),
    "original LLaVA's later name": (
        lambda folder: folder.settings(architectures=None, mm_projector_type="mlp2x_gelu"),
        r"is a checkpoint of the original LLaVA code \(mm_vision_tower in config\.json\)",
    ),
    "an adapter": (adapter_alone, r"is an adapter \(LoRA\) of llava-hf/llava-1\.5-7b-hf, not a whole model .*; merge it into that"),
    "an adapter beside a configuration": (
        lambda folder: folder.settings("adapter_config.json", peft_type="LORA"),
        r"is an adapter \(LoRA\) of another model, not a whole model",
    ),
    "an adapter that is damaged": (lambda folder: (folder.folder / "adapter_config.json").write_text("{"), r"is an adapter \(LoRA\)"),
    "code of its own": (
        lambda folder: folder.settings(model_type="internvl_chat", architectures=["InternVLChatModel"], auto_map={"AutoConfig": "a.B"}),
        r"InternVLChatModel runs on code of its own \(auto_map in config\.json\), and only models that transformers brings are loaded",
    ),
    "no layers": (
        lambda folder: folder.settings(part="text_config", num_hidden_layers=-1),
        r"config\.json says text_config\.num_hidden_layers -1, and a model needs one or more",
    ),
    "no layers of the tower": (
        lambda folder: folder.settings(part="vision_config", num_hidden_layers=0),
        r"config\.json says vision_config\.num_hidden_layers 0, and a model needs one or more",
    ),
    "settings of generation cut off": (
        lambda folder: (folder.folder / "generation_config.json").write_text('{"eos_token_id": 2'),
        r"generation_config\.json is damaged; restore it, or remove it",
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_no_weights_make_a_subject_of_is_told_what_to_do(checkpoint, damage):
    change, complaint = DAMAGES[damage]
    change(checkpoint)
    with pytest.raises(BadInput, match=complaint) as caught:
        load_subject(checkpoint.name)
    assert "\n" not in str(caught.value)
    with pytest.raises(BadInput, match=complaint):  # a dry run tells the same, and reads no weights
        estimate(checkpoint.name, "float32", 1, 1, 1)


def test_an_adapter_of_the_hub(tmp_path, monkeypatch):
    commit = tmp_path / "models--owner--lora" / "snapshots" / ("a" * 40)
    commit.mkdir(parents=True)
    (commit / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "owner/base"}))
    (tmp_path / "models--owner--lora" / "refs").mkdir()
    (tmp_path / "models--owner--lora" / "refs" / "main").write_text("a" * 40)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    with pytest.raises(BadInput, match=r"subject owner/lora: is an adapter \(LoRA\) of owner/base"):
        load_subject("owner/lora")


def test_a_model_without_settings_of_generation_is_no_damage(checkpoint):
    (checkpoint.folder / "generation_config.json").unlink()
    assert load_subject(checkpoint.name).model.generation_config.use_cache
