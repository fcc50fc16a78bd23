"""A model is tried in earnest: what is said to work does, and what does not is told."""

import pytest
import torch

from kvsmooth import Unsupported
from kvsmooth.doctor.finding import Finding, tried
from kvsmooth.doctor.model import FURTHER, STEPS, Patient, Unloadable, examined, text_model
from tests import zoo


def patient(name):
    model, inputs = zoo.build(name)
    return Patient(model, inputs, "its prompt", lambda: iter([Finding("recording", "not tried", "no")]))


@pytest.mark.parametrize("name", ["llava", "gemma3", "instructblip"])
def test_a_family_is_served(name):
    found = {finding.what: finding for finding in examined(patient(name))}
    assert list(found) == ["model", "decoder", "rates of zero", "smoothing", *FURTHER, "recording"]
    assert not [finding for finding in found.values() if finding.state == "broken"]
    assert found["rates of zero"].told == f"leave the logits of {STEPS + 1} tokens as they are, to the bit"
    assert found["smoothing"].told.startswith(f"{STEPS} steps, mean rate 0.5")


def test_what_a_family_lacks_is_no_fault_and_says_why():
    found = {finding.what: finding for finding in examined(patient("blip2_opt"))}
    assert found['rope="before"'].state == "no"
    assert "which has no rotary embedding" in found['rope="before"'].told


def test_a_model_that_is_not_what_it_computes():
    """A layer that draws at random: no block could be neutral on it."""
    sick = patient("llama")
    sick.model.model.layers[0].register_forward_hook(lambda module, given, hidden: hidden + torch.randn_like(hidden))
    found = {finding.what: finding for finding in examined(sick)}
    assert found["rates of zero"].state == "broken"
    assert found["rates of zero"].told.startswith("change its logits")


def test_keys_that_stay_as_they_are():
    """A second hand that puts the keys back behind each step."""
    sick, kept = patient("llama"), {}

    def restore(module, given, options, result):
        for number, layer in enumerate(options["past_key_values"].layers):
            if number in kept and layer.keys.shape[2] > kept[number].shape[2]:
                layer.keys[:, :, -1] = kept[number][:, :, -1]
            kept[number] = layer.keys.clone()
        return result

    sick.model.model.register_forward_hook(restore, with_kwargs=True)
    found = {finding.what: finding for finding in examined(sick)}
    assert found["smoothing"] == Finding("smoothing", "leaves the cached keys as they are.", "broken")


def test_a_model_whose_attention_cannot_be_owned():
    sick = patient("llama")
    sick.model.model._can_set_attn_implementation = lambda: False
    found = list(examined(sick))
    assert [finding.what for finding in found] == ["model", "decoder"]
    assert found[-1].state == "broken"
    assert "KVSmooth needs attention through transformers' AttentionInterface" in found[-1].told


def test_a_language_model_goes_on_from_its_own_tokens(tmp_path):
    zoo.build("llama")[0].save_pretrained(tmp_path)
    found = text_model(str(tmp_path))
    ids = found.inputs["input_ids"][0].tolist()
    assert len(set(ids)) == len(ids) == 12
    assert not set(ids) & {zoo.BOS, zoo.EOS, zoo.PAD}
    assert list(found.further()) == [Finding("recording", "it takes no images", "no")]


def test_a_model_that_is_not_there(tmp_path):
    with pytest.raises(Unloadable, match=rf"^{tmp_path} cannot be loaded: \S.*$"):
        text_model(str(tmp_path))


def test_a_folder_whose_name_has_an_at_sign(tmp_path):
    zoo.build("llama")[0].save_pretrained(tmp_path / "a@b")
    assert text_model(str(tmp_path / "a@b")).layers == 3


def test_failures_in_a_line():
    def fail(error):
        def attempt():
            raise error

        return attempt

    assert tried("x", fail(Unsupported("this is why\nand more"))) == Finding("x", "this is why", "broken")
    assert tried("x", fail(KeyError("lost")), essential=False) == Finding("x", "KeyError: 'lost'", "no")
    assert tried("x", fail(RuntimeError())) == Finding("x", "RuntimeError: RuntimeError", "broken")
