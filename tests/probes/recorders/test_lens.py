"""The lens on objects, at the last layer and on every layer, against plain loops over the model's own outputs."""

import math

import numpy as np
import pytest
import torch

from kvsmooth import KVSmooth, Unsupported
from kvsmooth.baselines import SkipNewline
from probes import load_subject, record
from probes.command.cli import BadInput
from probes.objects import ObjectVocabulary
from probes.recorders.unembedding import Unembedding
from probes.regimes import record_inputs
from tests import zoo
from tests.kvsmooth.baselines.cases import strong
from tests.rounding import assert_close

OBJECTS = ObjectVocabulary(
    ("one form", "two forms", "shared", "silent"),
    (("a",), ("b", "c d"), ("e",), ()),
    (((17,),), ((23,), (31, 8)), ((17, 9),), ()),
)
FIRST = ((17,), (23, 31), (17,), ())
FAST = ("llava", "blip2_opt")


def of_logits(logits):
    """Logit, log-probability and rank of every object, by loops in float64."""
    logits = [float(value) for value in logits]
    total = math.fsum(math.exp(value) for value in logits)
    found = []
    for tokens in FIRST:
        if not tokens:
            found.append((math.nan, math.nan, math.nan))
            continue
        best = max(logits[token] for token in tokens)
        summed = math.fsum(math.exp(logits[token]) for token in dict.fromkeys(tokens))
        found.append((best, math.log(summed / total), 1 + sum(value > best for value in logits)))
    return np.array(found).T


def check_family(name):
    model, inputs = zoo.build(name, attn="sdpa", seed=0, batch=2)
    plain = model.generate(**inputs, max_new_tokens=5, return_dict_in_generate=True, output_logits=True)
    free = record_inputs(model, inputs, recorders=("lens", "layer_lens"), max_new_tokens=5, objects=OBJECTS)
    for t, logits in enumerate(plain.logits):
        for row in range(2):
            wanted = of_logits(logits[row])
            for name_, value in zip(("object_logit", "object_logprob", "object_rank"), wanted, strict=True):
                assert_close(free.values[name_][t, row], value)
    # the last layer's lens is the model's own distribution, in either arm
    smoothed = record_inputs(
        model, inputs, KVSmooth(layers=range(1, 3)), recorders=("lens", "layer_lens"), max_new_tokens=5, objects=OBJECTS
    )
    for trace in (free, smoothed):
        assert_close(trace.values["layer_object_logprob"][:, -1], trace.values["object_logprob"])
        assert torch.equal(trace.values["layer_object_rank"][:, -1].nan_to_num(), trace.values["object_rank"].nan_to_num())
        assert trace.values["layer_object_rank"].shape == (5, len(trace.layers), 2, 4)


@pytest.mark.parametrize("name", FAST)
def test_last_layer_equals_the_models_logits(name):
    check_family(name)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(zoo.FAMILIES) - set(FAST)))
def test_last_layer_equals_the_models_logits_in_every_family(name):
    check_family(name)


def test_inner_layers_equal_hidden_states_through_norm_and_head():
    model, inputs = zoo.build("llama", attn="eager", seed=0, batch=2)
    trace = record_inputs(model, inputs, recorders=("layer_lens",), max_new_tokens=3, objects=OBJECTS)
    said = torch.cat((inputs["input_ids"], trace.tokens[:, :2]), 1)
    mask = torch.cat((inputs["attention_mask"], torch.ones(2, 2, dtype=torch.long)), 1)
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    hidden = model(input_ids=said, attention_mask=mask, position_ids=positions, output_hidden_states=True).hidden_states
    start = inputs["input_ids"].shape[1] - 1
    with torch.no_grad():
        for layer in range(2):  # transformers gives the last one behind the norm
            for t in range(3):
                logits = model.lm_head(model.model.norm(hidden[layer + 1][:, start + t]))
                for row in range(2):
                    _, logprob, rank = of_logits(logits[row])
                    assert_close(trace.values["layer_object_logprob"][t, layer, row], logprob)
                    assert_close(trace.values["layer_object_rank"][t, layer, row], rank)


def capped(cap):
    """A small Gemma 2 with tied heads, whose logits are capped behind the head."""
    import transformers as hf

    torch.manual_seed(0)
    config = hf.Gemma2Config(**zoo.TEXT, head_dim=8, sliding_window=8, final_logit_softcapping=cap)
    config.tie_word_embeddings = True
    model = hf.Gemma2ForCausalLM(config).eval()
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.25)
    model.generation_config.eos_token_id = None
    return model


def test_softcapped_tied_head():
    model = capped(2.0)
    assert model.lm_head.weight is model.model.embed_tokens.weight
    inputs = {"input_ids": torch.tensor([[1, 5, 9, 4]]), "attention_mask": torch.ones(1, 4, dtype=torch.long)}
    trace = record_inputs(model, inputs, recorders=("lens", "layer_lens"), max_new_tokens=3, objects=OBJECTS)
    assert trace.values["object_logit"].abs().nan_to_num().max() <= 2.0
    assert_close(trace.values["layer_object_logprob"][:, -1], trace.values["object_logprob"])


@pytest.mark.parametrize("method", ["dola", "deco", "vcd", "sid", "repetition_penalty"])
def test_layers_are_read_as_without_a_method_that_changes_the_logits_alone(method):
    """Its change stands behind the head, where no layer is; -inf, as of a contrast, must not let any reading pass for the model's."""
    captions, seen = [[7, 9, 30, 22], [12, 13, 41, 5]], ("lens", "layer_lens")
    plain, changed = (
        record_inputs(*zoo.build("llava", batch=2), arm, captions=captions, recorders=seen, objects=OBJECTS)
        for arm in (None, strong(method))
    )
    assert_close(changed.values["layer_object_logprob"], plain.values["layer_object_logprob"])
    assert not torch.equal(changed.values["object_logprob"], plain.values["object_logprob"])


def test_a_cap_behind_the_head_is_found_under_a_method():
    inputs = {"input_ids": torch.tensor([[1, 5, 9, 4]]), "attention_mask": torch.ones(1, 4, dtype=torch.long)}
    plain, changed = (
        record_inputs(capped(2.0), inputs, arm, captions=[[7, 9, 30]], recorders=("layer_lens",), objects=OBJECTS)
        for arm in (None, SkipNewline(tokens=range(3, 30)))
    )
    assert_close(changed.values["layer_object_logprob"], plain.values["layer_object_logprob"])


def test_a_model_that_does_something_else_behind_its_last_layer_is_refused():
    model, _ = zoo.build("llama", seed=0)
    unembed = Unembedding(model)
    hidden = torch.randn(2, 32)
    with torch.no_grad():
        right = model.lm_head(model.model.norm(hidden))
        unembed.settle(hidden, right)
        assert_close(unembed(hidden), right)
        with pytest.raises(Unsupported, match="behind its last layer"):
            unembed.settle(hidden, 3 * right)


@pytest.mark.parametrize("recorder", ["lens", "layer_lens"])
def test_no_objects_is_told_in_one_line(recorder):
    model, inputs = zoo.build("llama", seed=0)
    silent = ObjectVocabulary(("cat",), ((),), ((),), (("cat",),))
    for objects, why in ((None, "none are given"), (ObjectVocabulary((), (), ()), "none are given"), (silent, "can say none of them")):
        with pytest.raises(BadInput, match=why) as error:
            record_inputs(model, inputs, recorders=(recorder,), max_new_tokens=2, objects=objects)
        assert "\n" not in str(error.value)


@pytest.mark.slow
def test_recording_names_the_objects(tmp_path):
    subject = load_subject("emoji")
    items = subject.items(2)
    options = {"max_new_tokens": 4, "recorders": ("lens", "layer_lens"), "progress": False}
    recording = record(subject, items, out=tmp_path, **options)
    assert recording["object"].values.tolist() == list(subject.objects.names)
    assert recording["object_rank"].dims == ("arm", "image", "step", "object")
    assert recording["layer_object_rank"].dims == ("arm", "image", "step", "layer", "object")
    assert recording["object_rank"].min() >= 1
    assert '"ball": [' in recording.attrs["objects"]
    # what another vocabulary would find must not be mixed with it
    other = type(subject)("emoji", subject.model, subject.processor, subject.revision, {"cat": ("cat", "cats")})
    with pytest.raises(BadInput, match="objects"):
        record(other, items, out=tmp_path, **options)
    chosen = record(other, items, **options)
    assert chosen["object"].values.tolist() == ["cat"]
    place = {"arm": 0, "image": 0, "step": 0}
    assert chosen["object_logit"][place].values[0] == recording["object_logit"][place].sel(object="cat").values
