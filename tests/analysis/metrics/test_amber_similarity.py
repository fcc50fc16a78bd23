"""When two words of AMBER mean the same: tables in each form, a spaCy model, and what is wrong with a file in one line."""

import json
import sys
from types import SimpleNamespace

import pytest

from analysis.metrics.similarity import exact_match, spacy_model, table, write_table
from probes.command.cli import BadInput

PAIRS = [["cup", "mug"], ["car", "vehicle"]]
WORDS = ["cup", "mug", "dog"]
MATRIX = [[1, 0.9, 0], [0.9, True, False], [0, 0.8, 1]]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("pairs.json", json.dumps(PAIRS)),
        ("pairs.csv", "cup,mug\ncar, vehicle\n\n"),
        ("matrix.json", json.dumps({"words": WORDS, "matrix": MATRIX})),
        ("matrix.csv", ",cup,mug,dog\ncup,1,0.9,0\nmug,0.9,true,false\ndog,0,0.8,1\n"),
    ],
)
def test_a_table_holds_in_both_directions(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    similar = table(tmp_path / name)
    assert similar.name == f"table {name}"
    assert similar("cup", "mug")
    assert similar("mug", "cup")
    assert similar("dog", "dog")
    assert not similar("dog", "mug")  # 0.8 is not above 0.8
    assert not similar("dog", "unicorn")
    assert (similar("vehicle", "car"), exact_match("vehicle", "car")) == ("pairs" in name, False)


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a.json", '[["cup", "m', "no valid JSON"),
        ("a.json", "3", "a list of pairs of words is needed"),
        ("a.json", '[["cup", "mug"], ["cup"]]', "entry 2: a pair of words"),
        ("a.json", '{"words": ["cup", "cup"], "matrix": []}', "a list of different words"),
        ("a.json", '{"words": ["cup", "mug"], "matrix": [[1, 0]]}', "one line for each of its 2 words"),
        ("a.json", '{"words": ["cup", "mug"], "matrix": [[1, 0], [0, "x"]]}', "the line of 'mug' needs 2 cells"),
        ("a.json", '{"words": ["cup"], "matrix": [[NaN]]}', "NaN is no number"),
        ("a.csv", "cup,mug,glass\n", "entry 1: a pair of words"),
        ("a.csv", ",cup,mug\nmug,1,0\ncup,0,1\n", "the same words in the same order"),
        ("a.csv", ",cup,mug\ncup,1,maybe\nmug,0,1\n", "the line of 'cup' needs 2 cells"),
    ],
)
def test_a_bad_table_is_told_in_one_line(tmp_path, name, content, told):
    (tmp_path / name).write_text(content)
    with pytest.raises(BadInput, match=told) as error:
        table(tmp_path / name)
    assert "\n" not in str(error.value)


def test_a_table_that_is_no_file_or_no_text(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"caf\xe9,mug")
    for path, told in (("a.csv", "no UTF-8"), ("none.csv", "no such file"), (".", "this is a folder")):
        with pytest.raises(BadInput, match=told):
            table(tmp_path / path)


def test_a_table_made_of_a_similarity_says_what_it_says(tmp_path):
    (tmp_path / "pairs.json").write_text(json.dumps(PAIRS))
    told = table(tmp_path / "pairs.json")
    words = ["mug", "cup", "car", "dog", "vehicle"]
    write_table(tmp_path / "made.json", words, told)
    assert table(tmp_path / "made.json").pairs == told.pairs
    assert json.loads((tmp_path / "made.json").read_text()) == [["car", "vehicle"], ["cup", "mug"]]


def test_a_spacy_model_is_asked_once_a_pair_and_refused_where_it_is_missing(monkeypatch):
    asked = []

    class Pipeline:
        def __call__(self, text):
            return SimpleNamespace(similarity=lambda other: asked.append(text) or 0.81, text=text)

    def load(name):
        if name != "there":
            raise OSError(name)
        return Pipeline()

    spacy_model.cache_clear()
    monkeypatch.setitem(sys.modules, "spacy", SimpleNamespace(load=load))
    similar = spacy_model("there")
    assert similar.name == "spaCy there > 0.8"
    assert [similar("cup", "mug") for _ in range(3)] == [True] * 3
    assert asked == ["cup"]
    assert not spacy_model("there", 0.9)("cup", "mug")
    with pytest.raises(BadInput, match="the spaCy model 'absent' is not installed: `python -m spacy download absent`"):
        spacy_model("absent")
    monkeypatch.setitem(sys.modules, "spacy", None)
    with pytest.raises(BadInput, match="spaCy is not installed"):
        spacy_model("other")
    spacy_model.cache_clear()
