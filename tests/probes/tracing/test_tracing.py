"""Reading a generating model changes nothing, finds its places, and survives every kind of cache."""

import pytest
import torch
import transformers

from kvsmooth import KVSmooth, Unsupported
from probes.recorders import DEFAULT_RECORDERS
from probes.regimes import record_inputs
from probes.tracing.tracing import Tracing
from tests.rounding import SUM, ZOO, assert_close
from tests.zoo import FAMILIES, build, decoder_of

TOKENS = 5
BY_POSITION = {"input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids"}


def assert_same(one, other, share=ZOO):
    assert one.values.keys() == other.values.keys()
    for name, value in one.values.items():
        assert_close(value, other.values[name], share, told=name)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_call_of_the_attention_function_has_the_label_that_is_expected(family):
    model, _ = build(family)
    labels = Tracing(model).call_labels
    assert len(labels) == len(decoder_of(model).layers)
    assert set(labels) == {"attention_interface_1"}, "nnsight or transformers number the call differently now"


@pytest.mark.parametrize("options", [{}, {"do_sample": True, "temperature": 1.5}], ids=["greedy", "sampled"])
@pytest.mark.parametrize("family", ["llava", "qwen3_vl", "instructblip", "gemma3"])
def test_recording_leaves_the_tokens_as_they_are(family, options):
    model, inputs = build(family, batch=2)
    torch.manual_seed(3)
    before = model.generate(**inputs, max_new_tokens=TOKENS, **options)
    tracing = Tracing(model)
    torch.manual_seed(3)
    trace = record_inputs(tracing, inputs, max_new_tokens=TOKENS, **options)
    torch.manual_seed(3)
    after = model.generate(**inputs, max_new_tokens=TOKENS, **options)
    assert trace.tokens.tolist() == before[:, -TOKENS:].tolist() == after[:, -TOKENS:].tolist()


def test_recording_leaves_the_tokens_of_a_method_as_they_are():
    model, inputs = build("llava", batch=2)
    method = KVSmooth(layers=range(3), lambda_ref=0.9)
    with method(model) as run:
        plain = model.generate(**inputs, max_new_tokens=TOKENS)
    trace = record_inputs(model, inputs, method, max_new_tokens=TOKENS)
    assert trace.tokens.tolist() == plain[:, -TOKENS:].tolist()
    assert torch.equal(trace.values["rate"][1:], run.rates)
    assert not trace.values["rate"][1:].isnan().any()


@pytest.mark.parametrize("method", [None, KVSmooth(layers=[1], window=3)], ids=["baseline", "kvsmooth"])
@pytest.mark.parametrize(
    "family", ["llava", *(pytest.param(name, marks=pytest.mark.slow) for name in ("qwen2_vl", "gemma3", "instructblip", "mistral"))]
)
def test_a_padded_batch_says_of_each_row_what_the_row_says_alone(family, method):
    model, inputs = build(family, batch=2)
    together = record_inputs(model, inputs, method, max_new_tokens=TOKENS, sink_channels=())
    for row in range(2):
        alone = {name: _row(name, value, row, 2) for name, value in inputs.items()}
        keep = alone["attention_mask"][0].bool()
        alone |= {
            name: alone[name][:, keep] for name in alone.keys() & {"input_ids", "attention_mask", "token_type_ids", "mm_token_type_ids"}
        }
        single = record_inputs(model, alone, method, max_new_tokens=TOKENS, sink_channels=())
        assert single.tokens[0].tolist() == together.tokens[row].tolist()
        assert single.prompt_lengths[0] == together.prompt_lengths[row]
        for name, value in together.values.items():
            part = value[:, row] if value.dim() == 2 else value[:, :, row]
            other = single.values[name][:, 0] if value.dim() == 2 else single.values[name][:, :, 0]
            assert_close(part, other, told=name)


def _row(name, value, row, rows):
    each = len(value) // rows
    return value[row * each : (row + 1) * each]


@pytest.mark.parametrize("family", ["llava", "gemma3", "mistral", "qwen3"])
def test_a_static_cache_and_a_chunked_prompt_give_the_same_recording(family):
    model, inputs = build(family, batch=2)
    tracing = Tracing(model)
    plain = record_inputs(tracing, inputs, max_new_tokens=TOKENS)
    static = record_inputs(tracing, inputs, max_new_tokens=TOKENS, cache_implementation="static")
    assert static.tokens.tolist() == plain.tokens.tolist()
    assert_same(static, plain)


@pytest.mark.parametrize("family", ["llama", "qwen3"])
def test_a_chunked_prompt_is_one_step(family):
    model, inputs = build(family, batch=1)
    tracing = Tracing(model)
    plain = record_inputs(tracing, inputs, max_new_tokens=TOKENS)
    chunked = record_inputs(tracing, inputs, max_new_tokens=TOKENS, prefill_chunk_size=4)
    assert chunked.tokens.tolist() == plain.tokens.tolist()
    assert_same(chunked, plain)


def test_one_wrapped_model_records_again_and_again_alike():
    model, inputs = build("llava")
    tracing = Tracing(model)
    first = record_inputs(tracing, inputs, max_new_tokens=TOKENS)
    record_inputs(tracing, inputs, KVSmooth(layers=[1]), max_new_tokens=3)
    again = record_inputs(tracing, inputs, max_new_tokens=TOKENS)
    fresh = record_inputs(model, inputs, max_new_tokens=TOKENS)
    assert_same(first, again, 0)
    assert_same(first, fresh, 0)


def test_half_precision_is_reduced_in_single_precision():
    model, inputs = build("llava")
    exact = record_inputs(model, inputs, max_new_tokens=2)
    inputs["pixel_values"] = inputs["pixel_values"].bfloat16()
    trace = record_inputs(model.bfloat16(), inputs, max_new_tokens=2)
    assert all(value.dtype == torch.float32 for value in trace.values.values())
    assert trace.values["mass"].sum(-1).sub(1).abs().max() < SUM
    assert (trace.values["row_entropy"][0] - exact.values["row_entropy"][0]).abs().max() < 0.1


def test_logits_are_read_after_the_cap():
    config = transformers.Gemma2Config(
        vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, num_key_value_heads=2,
        head_dim=8, final_logit_softcapping=2.0, attn_logit_softcapping=3.0, query_pre_attn_scalar=8, eos_token_id=None,
        pad_token_id=0, sliding_window=8,
    )  # fmt: skip
    torch.manual_seed(0)
    model = transformers.Gemma2ForCausalLM(config).eval()
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.25)
    ids = torch.tensor([[3, 9, 4, 17, 8]])
    out = model.generate(ids, max_new_tokens=3, output_logits=True, output_attentions=True, return_dict_in_generate=True, do_sample=False)
    trace = record_inputs(model, {"input_ids": ids}, max_new_tokens=3, do_sample=False)
    for step in range(3):
        expected = out.logits[step].log_softmax(-1)[0, trace.tokens[0, step]]
        assert_close(trace.values["log_probability"][step, 0], expected)
        weights = out.attentions[step][0][0, :, -1]
        assert_close(trace.values["row_entropy"][step, 0, 0], torch.special.entr(weights).sum(-1))


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"num_beams": 3}, "num_beams=3"),
        ({"num_return_sequences": 2, "do_sample": True}, "num_return_sequences=2"),
        ({"prompt_lookup_num_tokens": 2}, "prompt_lookup_num_tokens=2"),
        ({"use_cache": False}, "use_cache=False"),
    ],
)
def test_what_cannot_be_recorded_is_refused_in_one_line(options, complaint):
    model, inputs = build("llava")
    with pytest.raises(Unsupported, match=complaint) as caught:
        record_inputs(model, inputs, max_new_tokens=2, **options)
    assert "\n" not in str(caught.value)
    record_inputs(model, inputs, max_new_tokens=2)


@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_model_in_train_mode_is_refused(checkpointing):
    model, inputs = build("llava")
    if checkpointing:
        model.activation_checkpointing_enable()
    model.train()
    with pytest.raises(Unsupported, match=r"while it is in train mode: .*; call model\.eval\(\) first"):
        record_inputs(model, inputs, max_new_tokens=2)
    with pytest.raises(Unsupported, match=r"while it is in train mode"):
        Tracing(model).whole(inputs, lambda *seen: None)
    assert record_inputs(model.eval(), inputs, max_new_tokens=2).n_steps.tolist() == [2]


def test_models_without_a_decoder_over_a_cache_are_refused():
    encoder_decoder = transformers.T5ForConditionalGeneration(
        transformers.T5Config(vocab_size=32, d_model=16, d_kv=8, d_ff=16, num_layers=1, num_heads=2)
    )
    recurrent = transformers.MambaForCausalLM(transformers.MambaConfig(vocab_size=32, hidden_size=16, num_hidden_layers=1, state_size=4))
    encoder = transformers.BertModel(
        transformers.BertConfig(vocab_size=32, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16)
    )
    for model in (encoder_decoder, recurrent, encoder):
        with pytest.raises(Unsupported, match=type(model).__name__):
            Tracing(model)


def test_an_attention_that_bypasses_the_interface_is_named():
    class Own(torch.nn.Module):
        def forward(self, hidden_states, **kwargs):
            return hidden_states * 2, None

    model, _ = build("llama")
    model.model.layers[1].self_attn = Own()
    with pytest.raises(Unsupported, match=r"layers\.1\.self_attn.*does not call"):
        Tracing(model)


def test_every_recorder_can_be_left_out_and_stands_alone():
    model, inputs = build("llava", batch=2)
    tracing = Tracing(model)
    whole = record_inputs(tracing, inputs, max_new_tokens=3)
    for name in DEFAULT_RECORDERS:
        alone = record_inputs(tracing, inputs, recorders=(name,), max_new_tokens=3)
        assert alone.values
        for variable, value in alone.values.items():
            assert torch.equal(value.nan_to_num(-9), whole.values[variable].nan_to_num(-9)), variable
    assert record_inputs(tracing, inputs, recorders=(), max_new_tokens=3).tokens.tolist() == whole.tokens.tolist()
