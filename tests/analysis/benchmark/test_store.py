"""Captions on disk: whole lines survive whatever ends a run, and nobody writes beside another."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.benchmark.store import AnswerLine, AnswerStore, alone
from probes.command.cli import BadInput

LINES = [AnswerLine("1", 1, "What?", "A dog.\u2028 A “cat”.", 7, 0.5, 2, 0.625), AnswerLine("2", 2, "What?", error="too large")]


def test_lines_come_back_as_they_were_written(tmp_path):
    captions = AnswerStore(tmp_path / "captions" / "a.jsonl")
    assert captions.read() == {}
    captions.append(LINES[:1])
    captions.append([])
    captions.append(LINES[1:])
    assert captions.read() == {line.key: line for line in LINES}
    assert [json.loads(line)["key"] for line in captions.path.read_text().split("\n")[:-1]] == ["1", "2"]


@pytest.mark.slow
@given(cut=st.integers(min_value=0))
def test_a_line_that_was_cut_off_is_none_and_the_next_ones_stand_alone(cut, tmp_path_factory):
    captions = AnswerStore(tmp_path_factory.mktemp("cut") / "a.jsonl")
    captions.append(LINES)
    content = captions.path.read_bytes()
    kept = content[: cut % (len(content) + 1)]
    captions.path.write_bytes(kept)
    whole = kept.count(b"\n")
    assert list(captions.read()) == ["1", "2"][:whole]
    captions.append([AnswerLine("3", 3, "What?", "A bird.")])
    assert list(captions.read()) == [*["1", "2"][:whole], "3"]
    assert all(json.loads(line) for line in captions.path.read_bytes().splitlines())


def test_the_last_line_of_a_key_is_the_one_that_counts(tmp_path):
    captions = AnswerStore(tmp_path / "a.jsonl")
    captions.append([LINES[1], AnswerLine("2", 2, "What?", "A dog.")])
    assert captions.read()["2"].caption == "A dog."


@pytest.mark.parametrize(
    "line",
    [
        b"{}",
        b"[1]",
        b"\xff\xfe",
        b'{"key": 3, "image_id": 1, "prompt": ""}',
        b"nonsense",
        b'{"key": "3", "image_id": 1, "prompt": "", "tokens": "7"}',
    ],
)
def test_a_damaged_line_is_told_with_its_number(tmp_path, line):
    captions = AnswerStore(tmp_path / "a.jsonl")
    captions.append(LINES)
    captions.path.write_bytes(captions.path.read_bytes() + line + b"\n")
    with pytest.raises(BadInput, match="line 3: is no answer"):
        captions.read()


def test_two_runs_do_not_write_into_one_folder(tmp_path):
    with alone(tmp_path / "out"), pytest.raises(BadInput, match="another run writes here"), alone(tmp_path / "out"):
        pass
    with alone(tmp_path / "out"):
        assert [path.name for path in (tmp_path / "out").iterdir()] == [".lock"]
