"""Processors as they lie beside older checkpoints: without the number of an image's tokens, or with a template that is not theirs."""

import pytest
import torch
from PIL import Image

from probes import record
from probes.command.cli import BadInput, Notice
from probes.subjects import Item, load_subject
from tests.analysis.answering.families import save
from tests.probes.subjects.conftest import Checkpoint

ITEMS = [Item(0, Image.new("RGB", (40, 30), "red")), Item(1, Image.new("RGB", (20, 30), "blue"), "What is this ?")]
# transformers gives a tensor to numpy.array
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
COUNTS = {
    "llava": ("patch_size", "vision_feature_select_strategy", "num_additional_image_tokens"),
    "llava_next": ("patch_size", "vision_feature_select_strategy", "num_additional_image_tokens"),
    "llava_onevision": ("num_image_tokens", "vision_feature_select_strategy"),
    "instructblip": ("num_query_tokens",),
}


@pytest.mark.parametrize("family", COUNTS)
def test_counts_that_a_processor_lacks_are_the_models(tmp_path, family):
    folder = Checkpoint(save(family, tmp_path))
    whole = load_subject(folder.name).encode(ITEMS)
    folder.settings("processor_config.json", **dict.fromkeys(COUNTS[family]))
    with pytest.warns(Notice, match=f"does not say how many tokens an image has; taken from the model.*: .*{COUNTS[family][0]} "):
        subject = load_subject(folder.name)
    encoded = subject.encode(ITEMS)
    assert encoded.keys() == whole.keys()
    assert all(torch.equal(encoded[name], whole[name]) for name in whole)
    assert subject.model.generate(**encoded, max_new_tokens=2, do_sample=False).shape[0] == 2


def test_only_what_is_missing_is_taken(checkpoint):
    checkpoint.settings("processor_config.json", num_additional_image_tokens=None)
    with pytest.warns(Notice, match=r"configuration: num_additional_image_tokens 1\.$"):
        load_subject(checkpoint.name).encode(ITEMS)


def test_a_count_that_is_not_the_models_is_told_in_one_line(checkpoint):
    checkpoint.settings("processor_config.json", patch_size=4)
    with pytest.raises(BadInput, match=r"another number of tokens than the model does \(.*32.*\); mend processor_config\.json"):
        record(load_subject(checkpoint.name), ITEMS, recorders=("entropy",), max_new_tokens=2, progress=False)


@pytest.mark.parametrize(
    ("template", "complaint"),
    [
        ("{% for message in %}", "TemplateSyntaxError: Expected an expression"),
        ("{{ raise_exception('Roles must alternate.') }}", "TemplateError: Roles must alternate"),
        ("{% for message in messages %}{{ message['content'].text.part }}{% endfor %}", "UndefinedError: 'list object' has no"),
        ("{% for message in messages %}{{ message['role'] + message['content'] }}{% endfor %}", "TypeError: can only concatenate str"),
    ],
    ids=["syntax", "raises", "undefined", "text only"],
)
def test_a_template_that_fails_is_told_in_one_line(checkpoint, template, complaint):
    (checkpoint.folder / "chat_template.jinja").write_text(template)
    with pytest.raises(BadInput, match=rf"its chat template fails on a turn of an image and a prompt \({complaint}.*\); mend") as caught:
        load_subject(checkpoint.name).encode(ITEMS)
    assert "\n" not in str(caught.value)


def test_a_template_that_drops_the_image_is_not_called_broken(checkpoint):
    (checkpoint.folder / "chat_template.jinja").write_text("{% for message in messages %}{{ message['role'] }}{% endfor %}")
    with pytest.raises(BadInput, match=r"does not take items 0 to 1 \(.*\); every prompt must come out with the image's token"):
        load_subject(checkpoint.name).encode(ITEMS)


def test_a_processor_that_fails_otherwise_is_told_in_one_line(subject):
    class Failing:
        tokenizer = subject.tokenizer

        def __call__(self, images, text, **options):
            raise TypeError("unsupported operand type(s) for //: 'int' and 'NoneType'")

    from probes.subjects import Subject

    with pytest.raises(BadInput, match=r"items 0 to 1 \(TypeError: unsupported operand .*\); mend the settings of its processor"):
        Subject("failing", subject.model, Failing()).encode(ITEMS)
