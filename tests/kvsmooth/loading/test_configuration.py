"""Attention whose rows cannot be read is left to transformers' own choice, in a part as in the whole; the rest stays."""

import pytest

from kvsmooth.loading.configuration import with_readable_attention
from tests.zoo import build


@pytest.mark.parametrize("part", [None, "text_config", "vision_config"])
def test_attention_that_cannot_be_read(part):
    config = build("llava")[0].config
    asking = config if part is None else getattr(config, part)
    asking._attn_implementation = "flash_attention_2"
    assert with_readable_attention(config).startswith("config.json asks for flash_attention_2, whose rows cannot be read;")
    assert asking._attn_implementation != "flash_attention_2"
    assert with_readable_attention(config) is None


@pytest.mark.parametrize("asked", ["sdpa", "eager"])
def test_attention_that_can_be_read_stays(asked):
    config = build("llama")[0].config
    config._attn_implementation = asked
    assert with_readable_attention(config) is None
    assert config._attn_implementation == asked
