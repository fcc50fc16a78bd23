"""Generation settings of checkpoints that stand in the way: set right with a notice, or refused at load."""

import pytest
from PIL import Image

from analysis.answering.answering import Answerer, Answering
from analysis.answering.query import Query
from kvsmooth import KVSmooth
from probes import Item, load_subject, record
from probes.command.cli import BadInput, Notice

METHOD = KVSmooth(layers=range(3))
SETTINGS = [
    ({"use_cache": False}, "use_cache=True"),
    ({"num_beams": 5}, "num_beams=1"),
    ({"num_return_sequences": 2, "do_sample": True}, "num_return_sequences=1"),
    ({"prompt_lookup_num_tokens": 3}, "prompt_lookup_num_tokens=None"),
    ({"cache_implementation": "quantized"}, "a whole cache"),
    ({"cache_implementation": "offloaded"}, "a whole cache"),
    ({"stop_strings": ["</s>"]}, r"eos_token_id=\[2\]"),
    ({"stop_strings": "<image>", "eos_token_id": 2}, r"eos_token_id=\[2, 60\]"),
    ({"stop_strings": ["</s>"], "eos_token_id": [2]}, r"eos_token_id=\[2\]"),
]


def described(subject):
    items = [Item(0, Image.new("RGB", (40, 30), "red")), Item(1, Image.new("RGB", (20, 30), "blue"))]
    arms = {"baseline": None, "kvsmooth": METHOD}
    recording = record(subject, items, arms, recorders=("entropy",), max_new_tokens=5, progress=False)
    queries = [Query(str(item.image_id), item.image_id, item.image, item.prompt) for item in items]
    answers = [[said.text for said in Answerer(Answering(method=arm, max_new_tokens=5), subject)(queries)] for arm in arms.values()]
    assert recording.caption.values.tolist() == answers
    return answers


@pytest.fixture(scope="module")
def plain(saved):
    return described(load_subject(str(saved)))


@pytest.mark.parametrize(("settings", "followed"), SETTINGS, ids=str)
def test_settings_that_cannot_be_followed_are_set_right_and_told(checkpoint, plain, settings, followed):
    checkpoint.settings("generation_config.json", **settings)
    with pytest.warns(Notice, match=f"its generation settings say .*; it is run with {followed}") as told:
        subject = load_subject(checkpoint.name)
    assert sum(issubclass(one.category, Notice) for one in told) == 1
    assert described(subject) == plain


def test_training_without_a_cache_leaves_no_trace(checkpoint, plain):
    """Fine-tuned checkpoints often have it in config.json, where only the model's own loop looks."""
    checkpoint.settings(use_cache=False).settings(part="text_config", use_cache=False)
    assert described(load_subject(checkpoint.name)) == plain


def test_a_text_that_stops_at_no_token_is_refused_at_load(checkpoint):
    checkpoint.settings("generation_config.json", stop_strings=["</s>", "\nUSER:"])
    with pytest.raises(BadInput, match=r"stop at the text '\\nUSER:' \(stop_strings\), and a row ends here at a token alone") as caught:
        load_subject(checkpoint.name)
    assert "\n" not in str(caught.value)


def test_a_language_model_with_settings_of_its_own(tmp_path):
    """InstructBLIP's loop is its language model's."""
    from tests.analysis.answering.families import save

    folder = save("instructblip", tmp_path)
    from tests.probes.subjects.conftest import Checkpoint

    Checkpoint(folder).settings("generation_config.json", num_beams=5, use_cache=False)
    with pytest.warns(Notice, match=r"say use_cache=False, num_beams=5; it is run with use_cache=True, num_beams=1"):
        described(load_subject(str(folder)))
