"""What was read is not read again: by text, of the same model; a damaged file is made anew."""

import math

import numpy as np
import pytest

from analysis.language.kept import kept_nll


class Counter:
    """Reads a text as the number of its words, NaN of one, and tells what it was asked."""

    def __init__(self):
        self.asked = []

    def __call__(self, texts):
        self.asked += texts
        return np.array([float(many) if (many := len(text.split())) > 1 else math.nan for text in texts])


def test_a_text_is_read_once(tmp_path):
    file, read = tmp_path / "nll.json", Counter()
    assert kept_nll(["a dog", "a cat", "a dog"], file, "m", read) == {"a dog": 2, "a cat": 2}
    before = file.read_bytes()
    assert kept_nll(["a cat"], file, "m", read) == {"a cat": 2}
    assert file.read_bytes() == before
    found = kept_nll(["a big dog", "dog", "a dog"], file, "m", read)
    assert found["a big dog"] == 3
    assert math.isnan(found["dog"])
    assert math.isnan(kept_nll(["dog"], file, "m", read)["dog"])
    assert read.asked == ["a dog", "a cat", "a big dog", "dog"]


def test_another_model_reads_anew(tmp_path):
    file, read = tmp_path / "nll.json", Counter()
    for mark in ("m", "n", "n"):
        kept_nll(["a dog"], file, mark, read)
    assert read.asked == ["a dog", "a dog"]


@pytest.mark.parametrize("held", ["", "{", "[]", '{"nll": 3, "model": "m"}', '{"nll": {"x": []}, "model": "m"}', '{"model": "m"}', "\x00"])
def test_a_damaged_file_is_made_anew(tmp_path, held):
    file = tmp_path / "nll.json"
    file.write_text(held)
    for _ in range(2):
        assert kept_nll(["a dog", "half a \ud83d"], file, "m", read := Counter()) == {"a dog": 2, "half a \ud83d": 3}
    assert read.asked == [], "the second time"
