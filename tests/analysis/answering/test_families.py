"""Checkpoints of every family, from the folder to the answer: images of different sizes, a left-padded batch, with KVSmooth and without."""

import numpy as np
import pytest
import torch
from PIL import Image

from analysis.answering.answering import Answerer, Answering
from analysis.answering.query import Query
from kvsmooth import KVSmooth
from probes import record
from probes.command.cli import BadInput
from probes.subjects import Item, load_subject
from tests.analysis.answering.families import PROCESSORS, save

# transformers gives a tensor to numpy.array
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
QUICK = ("instructblip", "qwen2_5_vl")
FAMILIES = [pytest.param(name, marks=() if name in QUICK else pytest.mark.slow) for name in PROCESSORS]
PROMPTS = ("Please describe this image in detail.", "What is this ?")
METHOD = KVSmooth(layers=range(3), lambda_ref=0.9)


@pytest.fixture(scope="module", autouse=True)
def _numbers_in_words():
    # one family wants the package num2words for the times of videos, although no video is read
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("transformers.models.smolvlm.processing_smolvlm.num2words", str)
        yield


@pytest.fixture(scope="module")
def images():
    draw = np.random.default_rng(0)
    return [Image.fromarray(draw.integers(0, 256, (height, width, 3), dtype=np.uint8)) for height, width in ((24, 40), (50, 20))]


@pytest.fixture(scope="module")
def subject(request, tmp_path_factory):
    """Written and read once for all tests of a family, which pytest runs one after another."""
    return load_subject(str(save(request.param, tmp_path_factory.mktemp(request.param))))


@pytest.mark.parametrize("subject", FAMILIES, indirect=True)
def test_a_batch_of_a_family_answers_as_its_items_do(subject, images):
    queries = [Query(str(number), number, *asked) for number, asked in enumerate(zip(images, PROMPTS, strict=True))]
    inputs = subject.encode([Item(query.image_id, query.image, query.prompt) for query in queries])
    width = inputs["input_ids"].shape[1]
    for method in (None, METHOD):
        worker = Answerer(Answering(method=method, max_new_tokens=5), subject)
        together = worker(queries)
        for query, said in zip(queries, together, strict=True):
            (alone,) = worker([query])
            assert (said.text, said.tokens) == (alone.text, alone.tokens)
            assert (said.report is None) == (method is None)
        if method is None:
            # what is said is what `generate` adds to the prompt
            ids = subject.model.generate(**inputs, do_sample=False, max_new_tokens=5, eos_token_id=-1)[:, width:]
            expected = [subject.text(row[: said.tokens].tolist()) for row, said in zip(ids, together, strict=True)]
            assert [said.text for said in together] == expected
    report = together[0].report
    assert report["rows"] == 2
    assert min(report["lambda_mean"], report["change_key_mean"], report["change_value_mean"]) > 0, "the method must have been at work"


@pytest.mark.parametrize("subject", FAMILIES, indirect=True)
def test_a_family_pads_on_the_left_and_begins_once(subject, images):
    items = [Item(0, images[0], PROMPTS[0]), Item(1, images[0], PROMPTS[1])]
    inputs = subject.encode(items)
    mask, ids = inputs["attention_mask"], inputs["input_ids"]
    short = int((mask[1] == 0).sum())
    assert short == len(PROMPTS[0].split()) - len(PROMPTS[1].split())
    assert mask[0].all()
    (alone,) = subject.encode(items[1:])["input_ids"]
    # InstructBLIP's image stands before the padding, everybody else's behind it
    before = int((ids[1] == subject.model.config.image_token_id).sum()) if mask[1, 0] else 0
    assert torch.equal(torch.cat((ids[1, :before], ids[1, before + short :])), alone)
    begins = (ids == subject.tokenizer.bos_token_id).sum(1)
    assert begins.max() <= 1
    assert "labels" not in inputs
    assert inputs["pixel_values"].dtype == torch.float32


@pytest.mark.parametrize("subject", ["qwen2_5_vl"], indirect=True)
def test_an_item_that_a_family_does_not_take_is_named_with_the_reason(subject):
    with pytest.raises(BadInput, match=r"does not take item 3 \(absolute aspect ratio must be smaller than 200.*\); leave that image out"):
        subject.encode([Item(3, Image.new("RGB", (600, 2)))])
    with pytest.raises(BadInput, match=r"items 3 to 4 \(.*number of <\|image_pad\|> tokens.*write it into the prompt once"):
        subject.encode([Item(number, Image.new("RGB", (20, 20)), "<|image_pad|> What is this ?") for number in (3, 4)])


@pytest.mark.slow
@pytest.mark.parametrize("subject", ["instructblip", "qwen3_vl", "smolvlm"], indirect=True)
def test_a_family_from_a_folder_is_recorded(subject, images, tmp_path):
    items = [Item(number, image) for number, image in enumerate(images)]
    made = record(subject, items, {"baseline": None, "kvsmooth": METHOD}, "free", tmp_path / "recordings", max_new_tokens=4)
    assert (made.sizes["arm"], made.sizes["image"], made.sizes["layer"]) == (2, 2, 3)
