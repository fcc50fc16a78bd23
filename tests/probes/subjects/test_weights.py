"""Weights that are not whole: each damage is named in one line, and never made good with random numbers."""

import pytest
import torch
from safetensors.torch import load_file

from probes.command.cli import BadInput, Notice
from probes.subjects import load_subject

UP = "language_model.model.layers.1.mlp.up_proj.weight"


def without(part):
    return lambda weights: {name: values for name, values in weights.items() if part not in name}


def scaled(factor):
    return lambda weights: {**weights, UP: weights[UP] * factor}


def renamed(old, new):
    return lambda weights: {name.replace(old, new): values for name, values in weights.items()}


def cut(name):
    return lambda weights: {**weights, name: weights[name][:-1].contiguous()}


DAMAGES = {
    "no head": (without("lm_head"), {}, r"lm_head\.weight is not in its weights, and would be random"),
    "no projector": (
        without("projector"),
        {},
        r"model\.multi_modal_projector\.linear_1\.bias, .*linear_1\.weight, .*linear_2\.bias and 1 more \(4 parameters\) are not in its",
    ),
    "no tower": (without("vision_tower"), {}, r"model\.vision_tower\..* \(\d\d parameters\) are not in its weights"),
    "renamed": (
        renamed("q_proj", "query"),
        {},
        r"q_proj\.weight.* and 4 more \(7 parameters\) are not .*, which hold .*query.* instead",
    ),
    "all renamed": (renamed("", "nobody."), {}, r"and 70 more \(73 parameters\) are not in its weights, which hold nobody\."),
    "more layers": (None, {"num_hidden_layers": 5}, r"layers\.3\.input_layernorm\.weight, .* and 15 more \(18 parameters\) are not"),
    "a row short": (cut("language_model.lm_head.weight"), {}, r"lm_head\.weight \[63, 32\] for \[64, 32\] has another shape"),
    "more words": (
        None,
        {"vocab_size": 70},
        r"lm_head\.weight \[64, 32\] for \[70, 32\], .*embed_tokens.* have another shape",
    ),
    "NaN": (scaled(float("nan")), {}, r"model\.language_model\.layers\.1\.mlp\.up_proj\.weight has NaN or infinite values; restore"),
    "infinite": (scaled(float("inf")), {}, r"model\.language_model\.layers\.1\.mlp\.up_proj\.weight has NaN or infinite values; restore"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_what_is_missing_or_no_number_is_refused_by_name(checkpoint, damage):
    change, text_config, complaint = DAMAGES[damage]
    if change is not None:
        checkpoint.weights(change)
    checkpoint.settings(part="text_config", **text_config)
    with pytest.raises(BadInput, match=complaint) as caught:
        load_subject(checkpoint.name)
    assert str(caught.value).startswith(f"subject {checkpoint.name}: ")
    assert "\n" not in str(caught.value)


def test_a_head_that_is_the_embeddings_need_not_be_there(checkpoint):
    checkpoint.weights(without("lm_head")).settings(tie_word_embeddings=True).settings(part="text_config", tie_word_embeddings=True)
    model = load_subject(checkpoint.name).model
    assert model.get_output_embeddings().weight is model.get_input_embeddings().weight


def test_layers_that_are_left_out_are_told_and_the_same_at_every_load(checkpoint):
    checkpoint.settings(part="text_config", num_hidden_layers=2)
    loads = []
    for _ in range(2):
        with pytest.warns(Notice, match=r"hold .*\.layers\.2\..* and 6 more \(9 parameters\), which the model of config"):
            loads.append(load_subject(checkpoint.name).model.state_dict())
    assert all(torch.equal(loads[0][name], loads[1][name]) for name in loads[0])


def test_what_a_model_derives_itself_is_not_told(checkpoint):
    positions = {"vision_tower.embeddings.position_ids": torch.arange(5)[None], "language_model.model.rotary_emb.inv_freq": torch.ones(4)}
    checkpoint.weights(lambda weights: {**weights, **positions})
    load_subject(checkpoint.name)
    checkpoint.weights(lambda weights: {**weights, "value_head.weight": torch.ones(3)})
    with pytest.warns(Notice, match=r"its weights hold value_head\.weight, which the model of config\.json has no place for; left out"):
        load_subject(checkpoint.name)


def test_weights_that_float16_cannot_hold(checkpoint):
    checkpoint.weights(scaled(1e6))
    with pytest.raises(BadInput, match=r"up_proj\.weight has NaN or infinite .*; float16 ends at 65504: take dtype bfloat16 or float32"):
        load_subject(checkpoint.name, dtype="float16")
    assert float(load_file(checkpoint.folder / "model.safetensors")[UP].abs().max()) > 65504
    load_subject(checkpoint.name, dtype="bfloat16")
