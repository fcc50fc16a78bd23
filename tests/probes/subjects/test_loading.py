"""Loading: revisions of the hub, precisions, devices, processors without torchvision, and what is refused in one line."""

import importlib.util
import shutil

import pytest
import torch

from probes.command.cli import BadInput
from probes.subjects import Item, Subject, load_subject
from probes.subjects.loading import check_placement, locate, why
from probes.subjects.processor import NoVideos, without_videos


@pytest.fixture
def hub(tmp_path, monkeypatch, subject_folder):
    """A hub's cache with two revisions of one model, as huggingface_hub lays it out; the branch main is at the first."""
    made = tmp_path / "models--owner--tiny"
    for commit in ("a" * 40, "b" * 40):
        shutil.copytree(subject_folder, made / "snapshots" / commit)
    (made / "refs").mkdir()
    (made / "refs" / "main").write_text("a" * 40)
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))


def test_a_revision_stands_behind_the_name(hub):
    assert load_subject("owner/tiny").revision == "a" * 40
    pinned = load_subject(f"owner/tiny@{'b' * 40}")
    assert (pinned.revision, pinned.name) == ("b" * 40, f"owner/tiny@{'b' * 40}")


def test_an_unknown_revision_is_refused(hub):
    with pytest.raises(BadInput, match=r"subject owner/tiny@v9: .*the hub does not give it"):
        load_subject("owner/tiny@v9")
    for name in ("owner/tiny@", "@v1"):
        with pytest.raises(BadInput, match="a revision is written behind the name, as owner/model@revision"):
            load_subject(name)


def test_a_folder_may_have_an_at_in_its_name(tmp_path):
    (tmp_path / "model@best").mkdir()
    (tmp_path / "model@best" / "config.json").write_text("{}")
    assert locate(str(tmp_path / "model@best")) == (tmp_path / "model@best", str(tmp_path / "model@best"), {})


@pytest.mark.parametrize("dtype", ["bfloat16", "float16"])
def test_half_precision_generates_on_the_cpu(subject_folder, items, dtype):
    half = load_subject(str(subject_folder), dtype=dtype)
    assert half.model.dtype == getattr(torch, dtype)
    inputs = half.encode(items[:2])
    out = half.model.generate(**inputs, max_new_tokens=3, do_sample=False, eos_token_id=None)
    assert out.shape == (2, inputs["input_ids"].shape[1] + 3)


def test_placements_that_cannot_be_are_refused(monkeypatch):
    for device, complaint in {"tpu": "cpu, cuda, cuda:<n> or auto; got tpu", "cuda:x": "got cuda:x", "auto:1": "got auto:1"}.items():
        with pytest.raises(BadInput, match=complaint):
            check_placement(device, "float32")
    with pytest.raises(BadInput, match="dtype must be one of"):
        check_placement("cpu", "float64")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    with pytest.raises(BadInput, match="shows 0 CUDA devices"):
        check_placement("cuda", "float32")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BadInput, match="with the package accelerate, which is not installed; name one device"):
        check_placement("auto", "float32")


def test_a_model_that_does_not_fit_says_so():
    assert "it does not fit (CUDA out of memory); take a smaller dtype" in why(
        torch.OutOfMemoryError("CUDA out of memory. Tried 2 GiB"), None
    )


@pytest.mark.parametrize(("spread", "entrance"), [({"": "cpu"}, "cpu"), ({"a": "cpu", "b": "meta"}, "meta"), ({}, "meta")])
def test_inputs_go_where_a_spread_model_computes(subject, spread, entrance):
    # weights that accelerate has put aside are tensors without content
    class Spread(torch.nn.Module):
        device, dtype, hf_device_map = torch.device("meta"), torch.float32, spread

    assert Subject("spread", Spread(), subject.processor)._placed(torch.zeros(2)).device.type == entrance


def test_the_speaker_is_the_module_whose_generate_loop_runs(subject):
    from tests.zoo import build

    assert subject.speaker is subject.model
    delegating, _ = build("instructblip")
    assert Subject("delegating", delegating, subject.processor).speaker is delegating.language_model
    assert subject.speaker is subject.tracing.speaker


def test_a_q_former_reads_its_prompts_from_the_left(subject, items):
    class Querying:
        """The bundled processor with a tokenizer for a Q-Former, which pads as it is told."""

        tokenizer = qformer_tokenizer = subject.tokenizer
        image_processor = subject.processor.image_processor

        def __call__(self, images, text, **options):
            return subject.processor(images=images, text=text, **options)

    prompts = ["<image> Please describe this image in detail.", "<image> Describe."]
    inputs = Subject("querying", subject.model, Querying()).encode([Item(0, items[0].image, prompt) for prompt in prompts])
    alone = subject.tokenizer(prompts[1])["input_ids"]
    assert inputs["qformer_input_ids"][1, : len(alone)].tolist() == alone
    assert inputs["qformer_attention_mask"][1].tolist() == [1] * len(alone) + [0] * (inputs["qformer_input_ids"].shape[1] - len(alone))
    assert inputs["attention_mask"][1, 0] == 0, "the language model's prompts are padded on the left"


def test_a_processor_does_without_videos_but_not_without_the_rest():
    class Processor:
        def check_argument_for_proper_class(self, name, part):
            raise TypeError(f"{name} is {part}")

    lean = without_videos(Processor)
    assert lean.__name__ == "Processor"
    assert lean().check_argument_for_proper_class("video_processor", NoVideos())
    with pytest.raises(TypeError, match="tokenizer is None"):
        lean().check_argument_for_proper_class("tokenizer", None)
