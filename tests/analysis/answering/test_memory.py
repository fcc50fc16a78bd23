"""Memory told from a configuration, against the bytes of a loaded model and of the cache that its generation leaves."""

import pytest
import transformers as hf

from analysis.answering.memory import Memory, estimate, prompt_tokens
from probes.command.cli import BadInput
from probes.subjects import Item, load_subject
from probes.subjects.emoji import scenes
from tests import zoo


def held(model, inputs, new: int) -> tuple[int, int]:
    """Bytes of the weights, and of the cache when `new` tokens have been generated."""
    out = model.generate(**inputs, max_new_tokens=new, min_new_tokens=new, do_sample=False, return_dict_in_generate=True)
    cache = sum(part.numel() * part.element_size() for layer in out.past_key_values.layers for part in (layer.keys, layer.values))
    return sum(each.numel() * each.element_size() for each in model.parameters()), cache


@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
def test_the_bundled_subject_needs_what_is_foretold(dtype):
    subject = load_subject(dtype=dtype)
    items = [Item(scene.image_id, scene.image) for scene in scenes(2)]
    inputs = subject.encode(items)
    longest = inputs["input_ids"].shape[1]
    assert prompt_tokens("emoji", items) == longest
    told = estimate("emoji", dtype, 2, longest, 9)
    assert (told.weights, told.cache) == held(subject.model, inputs, 9)


@pytest.mark.parametrize("family", ["gemma3", "blip2_opt", "qwen2_5_vl"])
def test_families_need_what_is_foretold(family, tmp_path):
    # sliding windows beside full layers; a decoder of other names; fewer key/value heads than query heads
    model, inputs = zoo.build(family, batch=2)
    model.config.save_pretrained(tmp_path)
    told = estimate(str(tmp_path), "float32", 2, inputs["input_ids"].shape[1], 12)
    assert (told.weights, told.cache) == held(model, inputs, 12)


def test_half_the_precision_needs_half_the_weights_and_the_batch_counts():
    full, half = estimate("emoji", "float32", 4, 100, 50), estimate("emoji", "float16", 4, 100, 50)
    assert half.weights * 2 == full.weights
    assert half.cache * 2 == full.cache
    assert estimate("emoji", "float32", 8, 100, 50).cache == 2 * full.cache
    assert estimate("emoji", "float32", 4, 100, 51).cache > full.cache
    assert full.total > full.weights + full.cache


def test_memory_is_told_in_one_line():
    told = Memory(weights=14 * 2**30, cache=3 * 2**29, logits=2**20, activations=600)
    assert str(told) == "17.1 GiB (weights 14.0 GiB, cache 1.5 GiB, logits 1.0 MiB, activations 600 B, spare 1.6 GiB)"


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        (("emoji", "int8", 1, 1, 1), "dtype must be one of float32, bfloat16, float16; got int8"),
        (("emoji", "float32", 0, 1, 1), "estimate.batch_size must be at least 1; got 0"),
        (("emoji", "float32", 1, 1, 0), "estimate.new_tokens must be at least 1"),
        (("./nowhere", "float32", 1, 1, 1), "there is no folder nowhere"),
        (("owner/model", "float32", 1, 1, 1), "the hub does not give it"),
    ],
)
def test_what_cannot_be_estimated_is_refused(given, complaint):
    with pytest.raises(BadInput, match=complaint):
        estimate(*given)


def test_a_text_model_is_no_subject(tmp_path):
    zoo.build("llama")[0].config.save_pretrained(tmp_path)
    with pytest.raises(BadInput, match="not a model that transformers loads for images and text"):
        estimate(str(tmp_path), "float32", 1, 1, 1)


def test_a_model_of_seven_billion_parameters_takes_no_memory_to_ask_about(tmp_path):
    hf.LlavaConfig(text_config=hf.LlamaConfig(vocab_size=32064)).save_pretrained(tmp_path)  # the defaults are those of LLaVA-1.5-7B
    told = estimate(str(tmp_path), "bfloat16", 1, 600, 513)
    assert told.weights / 2 == pytest.approx(7.06e9, rel=0.001)
    assert told.cache == 32 * 2 * 4096 * (600 + 512) * 2
