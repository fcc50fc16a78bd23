"""AMBER through the door: a part of its owners' files, answers in its owners' form."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from analysis.datasets.amber import read_amber
from tests.analysis.score.door import refused, score, strictly

DATA = Path(__file__).parents[2] / "data" / "amber"
SAID = {1: "A lake in a forest with a cloud. A dog runs on the grass.", 2: "A ship passes a bridge.", 3: ""}


def write(path: Path, answers: dict[int, str]) -> Path:
    path.write_text(json.dumps([{"id": id, "response": text} for id, text in answers.items()]))
    return path


def options(path: Path, *more: object) -> tuple[object, ...]:
    return ("amber", "--captions", path, "--annotations", DATA, "--mode", "bundled", *more)


def test_descriptions_are_scored_as_counted_by_hand(capsys, tmp_path):
    ended = score(capsys, *options(write(tmp_path / "said.json", SAID), "--similarity", "exact", "--json", tmp_path / "o.json"))
    assert ended.status == 0, ended
    found = strictly(tmp_path / "o.json")
    annotated = {item["id"]: item for item in json.loads((DATA / "annotations.json").read_text()) if item["type"] == "generative"}
    assert {"dog", "cloud"} <= set(annotated[1]["hallu"])
    assert {"lake", "forest", "grass"} <= set(annotated[1]["truth"])
    # image 1: lake, forest, cloud, dog, grass, of which cloud and dog are invented; image 2: ship, bridge; image 3 says nothing
    assert found["metrics"]["chair"] == pytest.approx(2 / 7)
    assert found["metrics"]["hal"] == pytest.approx(1 / 3)
    assert found["metrics"]["cog"] == pytest.approx(2 / sum(len(annotated[id]["hallu"]) for id in SAID))
    assert set(found["metrics"]) == {"chair", "cover", "hal", "cog"}
    assert found["n"] == {"answers": 3, "images": 3}
    assert "exact match" in found["mode"]
    assert "bundled" in found["mode"]
    assert "28.57 %" in ended.out


def test_questions_are_scored_and_both_parts_together(capsys, tmp_path):
    truth = {item["id"]: item["truth"] for item in json.loads((DATA / "annotations.json").read_text()) if item["type"] != "generative"}
    said = {id: answer.capitalize() for id, answer in truth.items()}
    wrong = next(id for id, answer in truth.items() if answer == "no")
    said[wrong] = "No."  # not exactly "No"
    ended = score(capsys, *options(write(tmp_path / "said.json", said | SAID), "--similarity", "exact", "--json", tmp_path / "o.json"))
    assert ended.status == 0, ended
    found = strictly(tmp_path / "o.json")
    denied = sum(answer == "no" for answer in truth.values())
    assert found["metrics"]["accuracy"] == pytest.approx(1 - 1 / len(truth))
    assert found["metrics"]["recall"] == pytest.approx(1 - 1 / denied)
    assert found["metrics"]["precision"] == 1
    f1 = found["metrics"]["f1"]
    assert found["metrics"]["amber_score"] == pytest.approx((1 - 2 / 7 + f1) / 2)
    assert any("query files are not there" in note for note in found["notes"])
    assert any(f"1 of {len(truth):,} answers to questions are not exactly Yes or No" in note for note in found["notes"])


def test_hashes_are_of_amber_s_files_wherever_they_lie(capsys, tmp_path):
    said = write(tmp_path / "said.json", SAID)
    made = []
    for folder in (tmp_path / "repository" / "data", tmp_path / "alone"):
        shutil.copytree(DATA, folder)
        (folder.parent / "README.md").write_text("nothing that is read")
        place = folder.parent if folder.name == "data" else folder
        command = ("amber", "--captions", said, "--annotations", place, "--mode", "bundled", "--similarity", "exact")
        assert score(capsys, *command, "--json", tmp_path / "o.json").status == 0
        made.append(strictly(tmp_path / "o.json")["provenance"]["data"])
    assert made[0] == made[1]
    (folder / "safe_words.txt").write_text("orange\n")
    assert score(capsys, *command, "--json", tmp_path / "o.json").status == 0
    assert strictly(tmp_path / "o.json")["provenance"]["data"] != made[0]


def test_a_byte_order_mark_before_the_safe_words_is_no_letter(tmp_path):
    shutil.copytree(DATA, tmp_path / "amber")
    expected = read_amber(DATA).safe_words
    path = tmp_path / "amber" / "safe_words.txt"
    path.write_text(path.read_text(), encoding="utf-8-sig", newline="\r\n")
    assert read_amber(tmp_path / "amber").safe_words == expected


def test_half_a_character_and_control_characters_do_no_harm(capsys, tmp_path):
    said = tmp_path / "said.json"
    said.write_text('[{"id": 1005, "response": "Yes\\ud800"}, {"id": 1, "response": "A lake\\u0000 \\udfff in a \\ud83c\\udf32 forest."}]')
    ended = score(capsys, *options(said, "--similarity", "exact", "--json", tmp_path / "o.json"))
    assert ended.status == 0, ended
    found = strictly(tmp_path / "o.json")
    assert found["captions"][0]["answer"] == "Yes\ud800"
    assert [mention["word"] for mention in found["captions"][1]["mentions"]] == ["lake", "forest"]


def test_without_spacy_the_bounds_are_told(capsys, tmp_path):
    ended = score(capsys, *options(write(tmp_path / "said.json", SAID)))
    assert ended.status == 0
    assert any("Cover and Cog are lower bounds" in note for note in ended.notices)
    assert "spaCy is not installed" in refused(capsys, *options(tmp_path / "said.json", "--similarity", "spacy"))


def test_a_table_of_similar_words_is_taken(capsys, tmp_path):
    pairs = tmp_path / "pairs.csv"
    pairs.write_text("ship,boat\n")
    said = write(tmp_path / "said.json", {2: "A boat."})
    exact = score(capsys, *options(said, "--similarity", "exact", "--json", tmp_path / "exact.json"))
    alike = score(capsys, *options(said, "--similarity", pairs, "--json", tmp_path / "alike.json"))
    assert (exact.status, alike.status) == (0, 0)
    assert strictly(tmp_path / "alike.json")["metrics"]["cover"] > 0
    assert "table pairs.csv" in strictly(tmp_path / "alike.json")["mode"]
    assert strictly(tmp_path / "alike.json")["provenance"]["data"]["similarity"] == hashlib.sha256(pairs.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    ("answers", "told"),
    [
        ([{"id": 15221, "response": "A dog."}], "no annotation 15221"),
        ([{"id": 1, "response": "A dog."}, {"id": 1, "response": "A cat."}], "1 is answered twice"),
        ([{"id": "x", "response": "A dog."}], "'id' must be a whole number"),
        ([{"id": 1}], "what was said?"),
        ([7], "item 1: a JSON object is needed"),
    ],
)
def test_answers_that_cannot_be_used_are_told_in_one_line(capsys, tmp_path, answers, told):
    path = tmp_path / "said.json"
    path.write_text(json.dumps(answers))
    line = refused(capsys, *options(path, "--similarity", "exact"))
    assert told in line
    assert "said.json" in line
