"""The image tower's states: transformers' own, of every layer; where patches and image tokens are not one to one, nothing is said."""

import pytest
import torch

from probes.sequence import layers_of
from probes.tower import layer_read, patch_norms, tower_layers, tower_states
from tests.zoo import IMAGE, build


def states_of(model, inputs):
    with tower_states(model) as seen:
        layers_of(model, inputs, lambda view: None)
    return seen


def test_states_are_transformers_own_and_norms_those_of_a_loop():
    model, inputs = build("llava", batch=2)
    seen = states_of(model, inputs)
    with torch.no_grad():
        said = model.get_encoder(modality="image")(inputs["pixel_values"], output_hidden_states=True).hidden_states
    assert len(seen) == len(said) - 1
    for mine, theirs in zip(seen, said[1:], strict=True):
        torch.testing.assert_close(mine, theirs)
    patches = int((inputs["input_ids"][0] == IMAGE).sum())
    norms = patch_norms(seen, 2, patches)
    assert norms.shape == (len(seen), 2, patches)
    for row in range(2):
        for patch in range(patches):
            # the class token comes first
            state = said[2][row, 1 + patch]
            assert float(norms[1, row, patch]) == pytest.approx(sum(float(x) ** 2 for x in state) ** 0.5, rel=1e-5)


def test_the_layer_that_is_read_is_the_state_that_transformers_selects():
    model, inputs = build("llava")
    seen = states_of(model, inputs)
    place = layer_read(model, len(seen))
    with torch.no_grad():
        said = model.get_encoder(modality="image")(inputs["pixel_values"], output_hidden_states=True).hidden_states
    torch.testing.assert_close(seen[place], said[model.config.vision_feature_layer])
    for wanted, place in ((-1, len(seen) - 1), (1, 0), (len(seen), len(seen) - 1), (0, None), ([1, 2], None)):
        model.config.vision_feature_layer = wanted
        assert layer_read(model, len(seen)) == place


@pytest.mark.parametrize("family", ["qwen2_vl", "llava_next"])
def test_merged_patches_and_tiles_have_no_norms(family):
    model, inputs = build(family)
    seen = states_of(model, inputs)
    assert seen
    assert patch_norms(seen, 1, int((inputs["input_ids"][0] == IMAGE).sum())) is None


def test_a_model_without_a_tower_has_no_states():
    model, inputs = build("llama")
    assert tower_layers(model) == []
    assert states_of(model, inputs) == []
    assert patch_norms([], 1, 4) is None


def test_hooks_are_gone_after_an_error():
    model, _ = build("llava")
    with pytest.raises(RuntimeError, match="stop"), tower_states(model):
        raise RuntimeError("stop")
    assert all(not layer._forward_hooks for layer in tower_layers(model))
