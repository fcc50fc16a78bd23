"""Groups of prompt positions are what the token ids say, in every family."""

import pytest
import torch

from kvsmooth.errors import Unsupported
from kvsmooth.spans import GROUPS, token_groups
from tests import zoo


@pytest.mark.parametrize("name", zoo.FAMILIES)
def test_token_groups(name):
    model, inputs = zoo.build(name, batch=2)
    groups = token_groups(model, inputs["input_ids"], inputs["attention_mask"])
    for row, (ids, mask) in enumerate(zip(inputs["input_ids"].tolist(), inputs["attention_mask"].tolist(), strict=True)):
        image_seen = bos_seen = False
        expected = []
        for token, visible in zip(ids, mask, strict=True):
            if not visible:
                expected.append("padding")
                continue
            image_seen |= token == zoo.IMAGE
            if token == zoo.BOS and not bos_seen:
                expected.append("bos")
                bos_seen = True
            elif token == zoo.IMAGE:
                expected.append("image")
            else:
                expected.append("prompt" if image_seen or zoo.IMAGE not in ids else "system")
        assert ["padding" if group < 0 else GROUPS[group] for group in groups[row].tolist()] == expected


def test_only_the_first_bos_counts_and_a_mask_is_optional():
    model, _ = zoo.build("llama")
    groups = token_groups(model, torch.tensor([[zoo.BOS, 5, zoo.BOS, 7]]))
    assert [GROUPS[group] for group in groups[0].tolist()] == ["bos", "prompt", "prompt", "prompt"]


def test_a_family_without_bos_has_no_bos_group():
    model, inputs = zoo.build("qwen2_vl")
    model.config.get_text_config().bos_token_id = model.generation_config.bos_token_id = None
    groups = token_groups(model, inputs["input_ids"])
    assert GROUPS.index("bos") not in groups
    assert GROUPS[groups[0, 0]] == "system"


@pytest.mark.parametrize("name", ["qwen2_vl", "qwen2_5_vl", "qwen3_vl", "llava_onevision"])
def test_a_video_is_seen_as_an_image_is(name):
    """Video tokens alone, and beside an image's: system text is what stands before the first of both."""
    model, _ = zoo.build(name)
    ids = [zoo.BOS, 5, zoo.VIDEO, zoo.VIDEO, 9, 4]
    for prompt in (ids, [*ids, zoo.IMAGE, zoo.IMAGE, 7]):
        groups = token_groups(model, torch.tensor([prompt]))
        expected = ["bos", "system", "image", "image", "prompt", "prompt", "image", "image", "prompt"][: len(prompt)]
        assert [GROUPS[group] for group in groups[0].tolist()] == expected


def test_no_tokens_are_refused():
    model, _ = zoo.build("llama")
    with pytest.raises(Unsupported, match="needs at least one token"):
        token_groups(model, torch.empty(1, 0, dtype=torch.long))
