"""The training: a run that was stopped goes on as if it had not been."""

import pytest
import torch
from transformers.initialization import no_init_weights

from probes.subjects.emoji.scenes import scenes
from probes.subjects.smollm2 import loading, model, train, trainable
from probes.subjects.smollm2.base import text_config
from probes.subjects.smollm2.delta import load_delta
from probes.subjects.smollm2.loading import load_file
from probes.subjects.smollm2.lora import FIRST_LAYER, adapters
from probes.subjects.smollm2.model import SIZE
from probes.subjects.smollm2.tower import pixels
from probes.subjects.smollm2.train import SmolLM2TrainConfig, SmolLM2Training

LAYERS = FIRST_LAYER + 2


@pytest.fixture
def shallow(weights, monkeypatch):
    """The packaged language model up to its second layer with adapters: training treats all that follow alike."""
    few = {name: value for name, value in weights.items() if not name.startswith("layers.") or int(name.split(".")[1]) < LAYERS}
    for module in (loading, train, trainable):
        monkeypatch.setattr(module, "base_weights", lambda: few)  # whoever takes them copies
    sizes = text_config()
    sizes.num_hidden_layers = LAYERS
    for module in (model, trainable):
        monkeypatch.setattr(module, "text_config", lambda: sizes)


def config(out, **options) -> SmolLM2TrainConfig:
    out.mkdir(exist_ok=True)
    return SmolLM2TrainConfig(out, horizon=4, align_steps=1, batch=1, bfloat16=False, **options)


@pytest.mark.slow
def test_a_stopped_run_goes_on_exactly_and_what_it_ships_is_what_it_trained(tmp_path, shallow):
    torch.set_num_threads(1)
    whole = SmolLM2Training(config(tmp_path / "whole"), 0)
    assert callable(whole.trained.bfloat16), "hidden by an option of that name"
    lines = [whole.advance() for _ in range(3)]
    before = {name: value.clone() for name, value in adapters(whole.trained.language.model).items()}
    whole.save()
    assert all(torch.equal(value, before[name]) for name, value in adapters(whole.trained.language.model).items()), "saving trains"
    lines.append(whole.advance())
    assert all(torch.isfinite(torch.tensor(line["caption"])) for line in lines)
    with no_init_weights():  # every weight comes from the checkpoint or the language model
        second = SmolLM2Training(config(tmp_path / "whole"), 0)
    assert (second.step, second.seen) == (3, 3)
    second.advance()
    found = adapters(second.trained.language.model)
    for name, value in adapters(whole.trained.language.model).items():
        assert torch.equal(value, found[name]), name
    # the image side began at half of the horizon
    aligned = torch.load(tmp_path / "whole" / "aligned.pt", weights_only=True)
    assert any(not torch.equal(value, aligned[name]) for name, value in whole.trained.sight.state_dict().items())

    whole.keep("last")
    assert load_delta(tmp_path / "whole" / "last.safetensors")[1]["scenes"] == "4"
    shipped, processor = load_file(tmp_path / "whole" / "last.safetensors")
    (drawn,) = scenes(1, "validation", SIZE)
    chat = [
        {
            "role": "user",
            "content": [{"type": "image", "image": drawn.image}, {"type": "text", "text": "Please describe this image in detail."}],
        }
    ]
    inputs = processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=True, return_dict=True, return_tensors="pt")
    torch.testing.assert_close(inputs["pixel_values"], pixels([drawn]))
    with torch.no_grad():
        found = shipped(**inputs).logits[0, -1]
        seen = whole.trained.sight(pixels([drawn]))
        expected = whole.trained.language(inputs_embeds=whole.trained.embedded(seen)).logits[0, -1]
    # the shipped numbers are in half precision
    torch.testing.assert_close(found, expected, atol=0.02, rtol=0.02)


def test_a_batch_that_the_processes_cannot_share_is_refused(tmp_path):
    with pytest.raises(ValueError, match="multiple of processes"):
        SmolLM2TrainConfig(tmp_path, processes=2, batch=3)
