"""What cannot be served is refused in one line, and whatever happens the model is left as it was found."""

import pytest
import torch
import transformers as hf
from transformers import DynamicCache

from kvsmooth import KVSmooth, NothingSmoothed, Unsupported
from kvsmooth.sinks import RowEntropy
from tests import zoo

METHOD = KVSmooth(layers=(0, 1, 2))


def state_of(model):
    """Everything that a block may have touched on a model."""
    return {
        "implementations": [module.config._attn_implementation for module in model.modules() if hasattr(module, "config")],
        "generate": [vars(module).get("generate") for module in model.modules()],
        "hooks": [len(module._forward_hooks) + len(module._forward_pre_hooks) for module in model.modules()],
    }


class Stop(Exception):
    """Raised by the tests themselves."""


def stop(*args, **kwargs):
    raise Stop


@pytest.mark.parametrize("attn", ["sdpa", "eager"])
@pytest.mark.parametrize("name", ["llava", "instructblip", "gemma3"])
def test_the_model_is_restored_after_success_and_after_an_exception(name, attn):
    model, inputs = zoo.build(name, attn=attn)
    expected = model.generate(**inputs, max_new_tokens=4)
    before = state_of(model)  # after a first pass, which leaves hooks of transformers' own
    cache = DynamicCache(config=zoo.decoder_of(model).config)
    with METHOD(model):
        model.generate(**inputs, max_new_tokens=4, past_key_values=cache)
        assert state_of(model) != before
    assert state_of(model) == before
    assert "reorder_cache" not in vars(cache)
    with pytest.raises(Stop), METHOD(model):
        model.generate(**inputs, max_new_tokens=4, logits_processor=[stop])
    assert state_of(model) == before
    with pytest.raises(ZeroDivisionError), METHOD(model):
        1 / 0  # noqa: B018
    assert state_of(model) == before
    assert torch.equal(model.generate(**inputs, max_new_tokens=4), expected)


def test_only_the_language_model_is_switched():
    model, _ = zoo.build("llava")
    with METHOD(model):
        assert model.config.vision_config._attn_implementation == "sdpa"
        assert model.config.text_config._attn_implementation.startswith("kvsmooth_")


def test_a_generate_of_one_s_own_on_the_instance_comes_back():
    model, inputs = zoo.build("llama")
    own = model.generate
    model.generate = own
    with METHOD(model):
        model.generate(**inputs, max_new_tokens=2)
    assert vars(model)["generate"] is own


def refused(model, message, method=METHOD):
    before = state_of(model)
    with pytest.raises(Unsupported, match=message) as caught, method(model):
        pytest.fail("the block was entered")
    assert "\n" not in str(caught.value)
    assert state_of(model) == before


def test_encoder_decoders():
    config = hf.T5Config(vocab_size=64, d_model=16, d_kv=4, d_ff=16, num_layers=2, num_heads=2)
    refused(hf.T5ForConditionalGeneration(config), "needs a decoder-only language model; T5ForConditionalGeneration is an encoder-decoder")


def test_models_without_a_decoder():
    small = dict(hidden_size=16, intermediate_size=16, num_hidden_layers=2, num_attention_heads=2)
    config = hf.CLIPConfig(text_config=small, vision_config={**small, "image_size": 16, "patch_size": 8})
    refused(hf.CLIPModel(config), "needs self-attention over a KV cache in every decoder layer; CLIPModel")


def test_models_without_attention():
    refused(hf.MambaForCausalLM(hf.MambaConfig(vocab_size=64, hidden_size=16, num_hidden_layers=2)), "MambaForCausalLM has other layers")


def test_models_off_the_attention_interface():
    refused(
        hf.GPTJForCausalLM(hf.GPTJConfig(vocab_size=64, n_embd=16, n_layer=2, n_head=2, rotary_dim=4)), "GPTJForCausalLM has other layers"
    )


def test_what_is_no_transformers_model():
    refused(torch.nn.Linear(2, 2), "needs a transformers PreTrainedModel; got Linear: pass the model itself")


def test_layers_outside_the_model():
    refused(zoo.build("llama")[0], "KVSmooth.layers must lie below 3, the layers of this decoder; got 7", KVSmooth(layers=(1, 7)))
    refused(zoo.build("llama")[0], r"empty for a decoder of 3 layers; pass layers=range", KVSmooth())


def test_other_attention_implementations():
    model, _ = zoo.build("llama")
    model.set_attn_implementation("flex_attention")
    refused(model, r'needs "sdpa" or "eager" attention; got \'flex_attention\': call model.set_attn_implementation\("sdpa"\) first')


@pytest.mark.parametrize("checkpointing", [False, True])
def test_train_mode(checkpointing):
    model, inputs = zoo.build("llava")
    if checkpointing:
        model.activation_checkpointing_enable()
    model.train()
    refused(model, r"LlavaForConditionalGeneration cannot be followed while it is in train mode: .*; call model\.eval\(\) first")
    model.eval()
    model.get_decoder().train()
    refused(model, r"while its part model\.language_model is in train mode")
    model.eval()
    with METHOD(model) as run:
        model.generate(**inputs, max_new_tokens=3)
        model.train()
        with pytest.raises(Unsupported, match="while it is in train mode"):
            model.generate(**inputs, max_new_tokens=3)
    assert len(run.rates) == 2, "after model.eval() a checkpoint is kept of nothing, and the cache is whole"


def test_rope_before_without_rotary_embeddings():
    model, _ = zoo.build("blip2_opt")
    refused(model, 'KVSmooth.rope must be "after" for OPTDecoder', KVSmooth(layers=(0,), rope="before"))


def test_rope_before_with_frequencies_that_move():
    config = hf.LlamaConfig(**zoo.TEXT, rope_parameters={"rope_type": "dynamic", "factor": 2.0, "rope_theta": 10000.0})
    refused(hf.LlamaForCausalLM(config), "needs fixed rotary frequencies", KVSmooth(layers=(0,), rope="before"))


def test_rope_before_with_another_layout():
    config = hf.CohereConfig(**{**zoo.TEXT, "num_key_value_heads": 2})
    refused(hf.CohereForCausalLM(config), "layout of rotated halves", KVSmooth(layers=(0,), rope="before"))


def test_nesting():
    model, inputs = zoo.build("llama")
    with METHOD(model) as run:
        with pytest.raises(Unsupported, match="cannot be nested in another method that owns this model's attention"), METHOD(model):
            pytest.fail("the inner block was entered")
        model.generate(**inputs, max_new_tokens=3)
    assert run.rates.shape == (2, 3, 1)


@pytest.mark.parametrize(
    ("generation", "message"),
    [
        ({"use_cache": False}, "use_cache=False keeps none; leave use_cache out"),
        ({"prompt_lookup_num_tokens": 2}, "cannot follow assisted generation, .* leave prompt_lookup_num_tokens out"),
        ({"cache_implementation": "quantized"}, "cannot edit a cache of cache_implementation='quantized'; use a DynamicCache"),
        ({"cache_implementation": "offloaded"}, "cannot edit a cache of cache_implementation='offloaded'"),
        ({"cache_implementation": "offloaded_static"}, "cannot edit a cache of cache_implementation='offloaded_static'"),
        ({"cache_implementation": "paged"}, "cannot edit a cache of cache_implementation='paged'"),
        ({"generation_config": hf.GenerationConfig(prompt_lookup_num_tokens=2)}, "cannot follow assisted generation"),
    ],
    ids=["no cache", "assisted", "quantized", "offloaded", "offloaded static", "paged", "assisted by configuration"],
)
def test_kinds_of_generation(generation, message):
    model, inputs = zoo.build("llama")
    before = state_of(model)
    with METHOD(model) as run:
        with pytest.raises(Unsupported, match=message) as caught:
            model.generate(**inputs, max_new_tokens=3, **generation)
        assert "\n" not in str(caught.value)
        model.generate(**inputs, max_new_tokens=3)
    assert run.rates.shape == (2, 3, 1)
    assert state_of(model) == before


def test_assisted_generation():
    model, inputs = zoo.build("llama")
    with METHOD(model), pytest.raises(Unsupported, match="leave assistant_model out"):
        model.generate(**inputs, max_new_tokens=3, assistant_model=zoo.build("llama", seed=1)[0])


def test_a_loop_without_a_cache():
    model, inputs = zoo.build("llama")
    with METHOD(model), pytest.raises(Unsupported, match="this pass keeps none; call the model with use_cache=True"):
        model(**inputs, use_cache=False)


class QuantizedToyLayer(hf.cache_utils.DynamicLayer):
    """Stands for the quantized layers, whose backends are not installed here."""


class CopyingLayer(hf.cache_utils.DynamicLayer):
    """Hands out copies, as a cache that decompresses does."""

    def update(self, *args, **kwargs):
        return tuple(states.clone() for states in super().update(*args, **kwargs))


@pytest.mark.parametrize(
    ("layer", "message"),
    [(QuantizedToyLayer, "cannot edit the QuantizedToyLayer of this DynamicCache"), (CopyingLayer, "a CopyingLayer hands out copies")],
)
def test_caches_that_attention_does_not_read_in_place(layer, message):
    model, inputs = zoo.build("llama")
    cache = DynamicCache()
    cache.layers = [layer() for _ in range(3)]
    with pytest.raises(Unsupported, match=message), METHOD(model):
        model.generate(**inputs, max_new_tokens=3, past_key_values=cache)


def test_offloaded_caches_and_foreign_ones():
    model, inputs = zoo.build("llama")
    offloaded = DynamicCache(config=model.config)
    offloaded.offloading = True
    with METHOD(model), pytest.raises(Unsupported, match="cannot edit an offloaded DynamicCache"):
        model.generate(**inputs, max_new_tokens=3, past_key_values=offloaded)
    with METHOD(model), pytest.raises(Unsupported, match="cannot edit a EncoderDecoderCache"):
        model.generate(**inputs, max_new_tokens=3, past_key_values=hf.EncoderDecoderCache(DynamicCache(), DynamicCache()))


def test_several_tokens_a_step_inside_generate():
    """Speculation that no option announces: two tokens are fed at once after the prompt."""
    model, inputs = zoo.build("llama")

    def speculate(input_ids, scores):
        model(input_ids=inputs["input_ids"][:, :2], past_key_values=cache)
        return scores

    cache = DynamicCache(config=model.config)
    with METHOD(model), pytest.raises(Unsupported, match="follows one token a step and this decoding feeds several"):
        model.generate(**inputs, max_new_tokens=3, past_key_values=cache, logits_processor=[speculate])


def test_image_keys_without_an_image_or_without_ids():
    text, inputs = zoo.build("llama")
    method = KVSmooth(layers=(0,), score=RowEntropy("image"))
    with method(text), pytest.raises(Unsupported, match="needs an image in every row"):
        text.generate(**inputs, max_new_tokens=3)
    embeds = text.get_input_embeddings()(inputs["input_ids"])
    with method(text), pytest.raises(Unsupported, match="needs the token ids of all 11 prompt positions; got 0"):
        text.generate(inputs_embeds=embeds, max_new_tokens=3)


def generate_past_the_method(model, inputs):
    """What the no-op check is for: code inside the block that takes the attention away again."""
    model.set_attn_implementation("eager")
    model.generate(**inputs, max_new_tokens=3)


def test_a_block_that_applied_nothing_raises():
    model, inputs = zoo.build("llama")
    with pytest.raises(NothingSmoothed, match=r"smoothed nothing although the model decoded: .* check that no other code"), METHOD(model):
        generate_past_the_method(model, inputs)


def test_the_no_op_error_masks_no_other():
    model, inputs = zoo.build("llama")
    with pytest.raises(Stop), METHOD(model):
        stop(generate_past_the_method(model, inputs))


def test_a_block_in_which_nothing_decoded_is_fine():
    model, inputs = zoo.build("llama")
    with METHOD(model) as run:
        assert run.report()["steps"] == 0
    with METHOD(model) as run:
        model.generate(**inputs, max_new_tokens=1)
    assert run.report()["generations"] == 0


def test_a_name_left_behind_owns_nothing():
    model, inputs = zoo.build("llama")
    with METHOD(model):
        name = model.config._attn_implementation
    model.set_attn_implementation(name)
    with pytest.raises(RuntimeError, match="The `with` block that owned this attention function has ended"):
        model.generate(**inputs, max_new_tokens=2)


def test_a_batch_that_changes_while_it_decodes():
    model, inputs = zoo.build("llama")
    with METHOD(model), torch.no_grad():
        cache = model(**inputs, use_cache=True).past_key_values
        model(input_ids=torch.tensor([[7]]), past_key_values=cache)
        cache.batch_repeat_interleave(3)
        with pytest.raises(Unsupported, match="cannot follow a batch that changes from 1 to 3 rows"):
            model(input_ids=torch.tensor([[7]] * 3), past_key_values=cache)
