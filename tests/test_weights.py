"""The bundled subject, which a process of the tests reads once: every load is a model of its own, with the weights of the files."""

import torch
from transformers import LlavaForConditionalGeneration

from probes.subjects import load_subject
from probes.subjects.emoji import WEIGHTS


def test_what_is_done_to_one_load_is_not_in_the_next():
    read = LlavaForConditionalGeneration.from_pretrained(WEIGHTS)
    for _ in range(2):
        model = load_subject("emoji").model
        found, expected = model.state_dict(), read.state_dict()
        assert found.keys() == expected.keys()
        assert all(torch.equal(found[name], expected[name]) for name in expected)
        assert model.config.to_diff_dict() == read.config.to_diff_dict()
        assert model.generation_config.max_new_tokens != 1
        with torch.no_grad():
            for parameter in model.parameters():
                parameter.zero_()
        model.config.text_config.num_hidden_layers = model.generation_config.max_new_tokens = 1
    assert load_subject("emoji", dtype="bfloat16").model.dtype == torch.bfloat16


def test_weights_are_read_once(monkeypatch):
    load_subject("emoji")
    monkeypatch.setattr(LlavaForConditionalGeneration, "from_pretrained", None)
    assert load_subject("emoji").model.num_parameters() > 1e6
