"""Texts: the project's own, files of the user's, kinds of tokens and their distance from the end of a sentence."""

from pathlib import Path

import pytest

from analysis.cells.classes import CLASSES
from analysis.language.captions import OwnCaptionsConfig, main
from analysis.language.texts import CAPTIONS, DISTANCES, OWN, distances, kinds, read_texts, tokenized
from probes.command.cli import BadInput, Notice
from tests.analysis.language.words import word_tokenizer
from tests.analysis.loaded import loaded


def texts_of(path):
    return [text for text, _ in read_texts(path)]


TOKENIZER = word_tokenizer("a dog sees the cat . it runs")


def test_the_project_brings_sixty_texts_of_its_own():
    texts = texts_of(OWN)
    assert len(texts) == len(set(texts)) == 60
    assert all(25 <= len(text.split()) <= 70 and text.endswith(".") for text in texts)
    assert all(text.isascii() or "é" in text for text in texts)


def test_captions_and_paragraphs_are_brought_by_their_names():
    texts = read_texts(Path("captions"))
    assert texts == read_texts(CAPTIONS)
    assert read_texts(Path("paragraphs")) == read_texts(OWN)
    assert len(texts) == len(set(texts)) == 40
    assert [image for _, image in texts] == [str(200_000_000 + scene) for scene in range(20)] * 2


@pytest.mark.slow
def test_captions_of_the_bundled_subjects_are_what_they_say(tmp_path, monkeypatch):
    texts = read_texts(CAPTIONS)
    monkeypatch.setattr("probes.subjects.load_subject", loaded)
    main(OwnCaptionsConfig(images=2, max_new_tokens=18, out=tmp_path / "captions.jsonl"))
    said = read_texts(tmp_path / "captions.jsonl")
    # another processor may say another word late in a caption
    for (text, image), (own, of) in zip(said, [*texts[:2], *texts[20:22]], strict=True):
        assert image == of
        assert text.split()[:12] == own.split()[:12]


def test_captions_of_other_settings_do_not_take_the_place_of_those_that_ship():
    with pytest.raises(BadInput, match="is made of 20 scenes and 160 tokens; give another file"):
        OwnCaptionsConfig(images=5)


def test_paragraphs_and_json_lines(tmp_path):
    (tmp_path / "a.txt").write_text("One two.\nThree.\n\n\n\nFour.\n", encoding="utf-8")
    assert texts_of(tmp_path / "a.txt") == ["One two. Three.", "Four."]
    (tmp_path / "b.jsonl").write_text('{"caption": "A dog.", "image_id": 1}\n\n{"text": "A  cat."}\n', encoding="utf-8")
    assert read_texts(tmp_path / "b.jsonl") == [("A dog.", "1"), ("A cat.", None)]


def test_a_text_that_stands_there_again_is_read_once(tmp_path):
    (tmp_path / "a.txt").write_text("One two.\n\nThree.\n\nOne\ntwo.\n\nOne two.\n", encoding="utf-8")
    with pytest.warns(Notice, match="2 of 4 texts stand there before; each is read once"):
        assert texts_of(tmp_path / "a.txt") == ["One two.", "Three."]


def test_what_editors_and_writers_of_json_leave_in_files(tmp_path):
    """A mark of byte order, blank lines of spaces, Windows' ends of lines, U+2028 within a text, half a character, a list of JSON."""
    (tmp_path / "a.txt").write_bytes(b"\xef\xbb\xbfOne.\r\n \t\r\nTwo\r\nthree.")
    assert texts_of(tmp_path / "a.txt") == ["One.", "Two three."]
    (tmp_path / "b.jsonl").write_bytes(b'\xef\xbb\xbf{"caption": "A\xe2\x80\xa8dog."}\r\n{"caption": "a \\ud83d cat"}')
    assert texts_of(tmp_path / "b.jsonl") == ["A dog.", "a \ufffd cat"]
    (tmp_path / "c.JSON").write_text('[{"text": "A dog."}, {"caption": "A cat.", "text": "ignored"}]', encoding="utf-8")
    assert texts_of(tmp_path / "c.JSON") == ["A dog.", "A cat."]
    assert len(tokenized(["a \ud83d dog"], TOKENIZER, 9, 2)[0].ids) == 3


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("none.txt", None, "cannot be read"),
        ("empty.txt", b" \n\n ", "holds no text"),
        ("bytes.txt", b"\xff\xfe\x00", "cannot be read"),
        ("list.jsonl", b'{"caption": "a"}\n[1]\n', "line 2: a JSON object is needed"),
        ("other.jsonl", b'{"words": "a"}\n', "line 1: 'caption' must be a text; it is missing"),
        ("cut.jsonl", b'{"caption": "a', "line 1: no valid JSON"),
        ("null.jsonl", b'{"caption": null}\n{"caption": "a"}\n', "line 1: 'caption' must be a text; it is null"),
        ("listed.jsonl", b'{"text": ["a", "b"]}\n', "line 1: 'text' must be a text; it is a list"),
        ("gone.jsonl", None, "no such file"),
    ],
)
def test_bad_files_are_refused_in_a_line(tmp_path, name, content, told):
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(BadInput, match=told) as raised:
        read_texts(tmp_path / name)
    assert name in str(raised.value)
    assert "\n" not in str(raised.value)


def test_tokens_are_cut_and_short_texts_left_out():
    found = tokenized(["a dog sees the cat .", "a dog", "it runs . it runs"], TOKENIZER, longest=4, least=3)
    assert [text.number for text in found] == [0, 2]
    assert [len(text.ids) for text in found] == [4, 4]


def test_distances_count_from_the_last_end_of_a_sentence():
    ids = TOKENIZER("a dog sees the cat . it runs")["input_ids"]
    assert [DISTANCES[i] for i in distances(TOKENIZER, ids)] == ["1 to 4"] * 4 + ["5 to 9"] * 2 + ["1 to 4"] * 2
    many = TOKENIZER("dog " * 25)["input_ids"]
    assert [DISTANCES[i] for i in distances(TOKENIZER, many)] == (["1 to 4"] * 4 + ["5 to 9"] * 5 + ["10 to 19"] * 10 + ["20 and more"] * 6)


def test_kinds():
    ids = TOKENIZER("a dog .")["input_ids"]
    assert [CLASSES[i] for i in kinds(TOKENIZER, [*ids, TOKENIZER.eos_token_id])] == ["piece", "object", "punctuation", "special"]
