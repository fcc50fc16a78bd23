"""Adapters, their merge, and the file that they are shipped in."""

import pytest
import torch
from safetensors.torch import save_file
from transformers import LlamaConfig, LlamaModel

from probes.command.cli import BadInput
from probes.subjects.smollm2.base import SHA256
from probes.subjects.smollm2.delta import files_of, load_delta, save_delta, save_without_sight
from probes.subjects.smollm2.lora import FIRST_LAYER, PROJECTIONS, adapt, adapters, merged

SIZES = {"hidden_size": 24, "intermediate_size": 48, "num_attention_heads": 3, "num_key_value_heads": 1, "vocab_size": 40}


@pytest.fixture
def decoder():
    torch.manual_seed(0)
    return LlamaModel(LlamaConfig(num_hidden_layers=FIRST_LAYER + 2, **SIZES)).eval()


def randomize(decoder) -> None:
    for name, value in decoder.named_parameters():
        if name.endswith(".b"):
            value.data.normal_(std=0.3)


def test_new_adapters_change_nothing_and_alone_are_trained(decoder):
    ids = torch.arange(12)[None]
    before = decoder(ids).last_hidden_state
    adapt(decoder)
    assert torch.equal(decoder(ids).last_hidden_state, before)
    trained = {name for name, p in decoder.named_parameters() if p.requires_grad}
    assert trained == set(adapters(decoder))
    assert len(trained) == 2 * 2 * len(PROJECTIONS)


def test_merged_weights_say_what_the_adapters_say(decoder):
    plain = {name: value.clone() for name, value in decoder.state_dict().items()}
    adapt(decoder)
    randomize(decoder)
    ids = torch.arange(12)[None]
    expected = decoder(ids).last_hidden_state
    fresh = LlamaModel(decoder.config).eval()
    fresh.load_state_dict(plain)
    assert not torch.allclose(fresh(ids).last_hidden_state, expected, atol=1e-2)
    fresh.load_state_dict(merged(plain, adapters(decoder)))
    torch.testing.assert_close(fresh(ids).last_hidden_state, expected, atol=1e-4, rtol=1e-4)


def test_an_adapter_of_a_projection_that_is_not_there_is_refused(decoder):
    with pytest.raises(KeyError, match=r"layers\.99"):
        merged(decoder.state_dict(), {"layers.99.mlp.down_proj.a": torch.ones(2, 4), "layers.99.mlp.down_proj.b": torch.ones(4, 2)})


def test_a_delta_comes_back_in_half_precision_with_what_it_says(tmp_path):
    value = torch.randn(5, 7)
    save_delta(tmp_path / "d.safetensors", {"lora": {"x.a": value}, "sight": {"tower.y": value[0]}}, {"scenes": "500"})
    parts, said = load_delta(tmp_path / "d.safetensors")
    assert said == {"scenes": "500", "base": SHA256}
    assert torch.equal(parts["lora"]["x.a"], value.half().float())
    assert torch.equal(parts["sight"]["tower.y"], value[0].half().float())


def test_a_delta_of_another_base_and_a_torn_one_are_refused(tmp_path):
    save_file({"lora.x.a": torch.ones(2)}, tmp_path / "other.safetensors", metadata={"base": "0" * 64})
    with pytest.raises(BadInput, match="trained on the base 000000000000, not on b179c9523d0e"):
        load_delta(tmp_path / "other.safetensors")
    (tmp_path / "torn.safetensors").write_bytes(b"torn")
    with pytest.raises(BadInput, match="cannot be read"):
        load_delta(tmp_path / "torn.safetensors")


def test_a_point_that_borrows_projector_and_tower_is_the_whole_one(tmp_path):
    sight = {"tower.y": torch.randn(7)}
    save_delta(tmp_path / "early.safetensors", {"lora": {"x.a": torch.randn(5, 7)}, "sight": sight}, {"scenes": "500"})
    save_delta(tmp_path / "whole.safetensors", {"lora": {"x.a": torch.randn(5, 7)}, "sight": sight}, {"scenes": "2000"})
    save_without_sight(tmp_path / "whole.safetensors", tmp_path / "middle.safetensors", "early")
    (whole, _), (parts, said) = (load_delta(tmp_path / f"{name}.safetensors") for name in ("whole", "middle"))
    assert said == {"scenes": "2000", "sight": "early", "base": SHA256}
    assert {part: held.keys() for part, held in parts.items()} == {part: held.keys() for part, held in whole.items()}
    assert all(torch.equal(parts[part][name], value) for part, held in whole.items() for name, value in held.items())
    assert (tmp_path / "middle.safetensors").stat().st_size < (tmp_path / "whole.safetensors").stat().st_size
    assert files_of(tmp_path / "middle.safetensors") == [tmp_path / "middle.safetensors", tmp_path / "early.safetensors"]
    (tmp_path / "early.safetensors").unlink()
    with pytest.raises(BadInput, match=r"early\.safetensors cannot be read"):
        load_delta(tmp_path / "middle.safetensors")


def test_a_point_with_a_sight_of_its_own_borrows_none(tmp_path):
    for name in ("early", "late"):
        save_delta(tmp_path / f"{name}.safetensors", {"lora": {"x.a": torch.ones(2)}, "sight": {"tower.y": torch.randn(7)}}, {})
    with pytest.raises(BadInput, match="has another projector or tower than early"):
        save_without_sight(tmp_path / "late.safetensors", tmp_path / "new.safetensors", "early")
    assert not (tmp_path / "new.safetensors").exists()


def test_a_loan_of_a_loan_is_followed_and_one_of_itself_is_refused(tmp_path):
    lora, sight = {"x.a": torch.ones(2)}, {"tower.y": torch.ones(3)}
    save_delta(tmp_path / "first.safetensors", {"lora": lora, "sight": sight}, {})
    for name, lender in (("second", "first"), ("third", "second"), ("round", "round")):
        save_delta(tmp_path / f"{name}.safetensors", {"lora": lora}, {"sight": lender})
    third = tmp_path / "third.safetensors"
    assert [path.stem for path in files_of(third)] == ["third", "second", "first"]
    assert torch.equal(load_delta(third)[0]["sight"]["tower.y"], sight["tower.y"])
    with pytest.raises(BadInput, match="borrows its projector and tower from itself"):
        files_of(tmp_path / "round.safetensors")


@pytest.mark.parametrize("part", ["lora", "sight"])
def test_a_delta_without_one_of_its_parts_is_one_line(part, tmp_path):
    parts = {"lora": {"x.a": torch.ones(2)}, "sight": {"tower.y": torch.ones(3)}}
    save_delta(tmp_path / "half.safetensors", {name: held for name, held in parts.items() if name != part}, {})
    with pytest.raises(BadInput, match=f"has no part {part}; take it from the training again"):
        load_delta(tmp_path / "half.safetensors")
