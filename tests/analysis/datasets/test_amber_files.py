"""AMBER's files: what is read, and one line for each way in which they can be wrong."""

import json
import shutil
from collections import Counter
from pathlib import Path

import pytest

from analysis.datasets.amber import AmberQuery, YesNo, image_path, read_amber
from probes.command.cli import BadInput

PART = Path(__file__).parents[2] / "data" / "amber"
WHOLE = Path(__file__).parents[3].parent / "shared" / "data" / "amber"


@pytest.fixture
def folder(tmp_path):
    shutil.copytree(PART, tmp_path / "data")
    (tmp_path / "data" / "query").mkdir()
    return tmp_path / "data"


def put(folder: Path, name: str, content) -> None:
    (folder / name).write_text(content if isinstance(content, str) else json.dumps(content), encoding="utf-8")


def test_what_the_files_say(folder):
    described = [{"id": i, "image": f"AMBER_{i}.jpg", "query": "Describe this image."} for i in (1, 2)]
    asked = [{"id": 1005, "image": "AMBER_1.jpg", "query": "Is the sky sunny in this image?"}]
    put(folder, "query/query_generative.json", described)
    put(folder, "query/query_all.json", described + asked)
    amber = read_amber(folder)
    assert amber == read_amber(folder.parent)
    assert amber.descriptions[2].truth[:4] == ("sky", "man", "ship", "ship")
    assert amber.questions[1005] == YesNo("state", True)
    assert amber.associations["forest"] == ("tree", "leave", "bush")
    assert (len(amber.vocabulary), len(amber.associations), len(amber.safe_words)) == (418, 340, 9)
    assert amber.queries[1005] == AmberQuery(1005, 1, "AMBER_1.jpg", "Is the sky sunny in this image?")


def test_the_whole_files_have_the_published_counts():
    if not WHOLE.is_dir():
        with pytest.raises(BadInput, match="there is no such file"):
            read_amber(WHOLE)
    else:
        amber = read_amber(WHOLE)
        assert len(amber.descriptions) == 1004
        assert set(amber.descriptions) == set(range(1, 1005))
        assert len(amber.descriptions) + len(amber.questions) == 15220
        assert Counter((question.dimension, question.yes) for question in amber.questions.values()) == {
            ("existence", False): 4924,
            ("state", True): 2382,
            ("state", False): 2382,
            ("number", True): 1036,
            ("number", False): 1036,
            ("action", True): 396,
            ("action", False): 396,
            ("relation", True): 975,
            ("relation", False): 689,
        }
        assert sum(bool(set(found.truth) & set(found.hallu)) for found in amber.descriptions.values()) == 61


GENERATIVE = {"id": 1, "type": "generative", "truth": ["sky"], "hallu": []}
ASKED = {"id": 2, "type": "relation", "truth": "no"}
QUERY = {"id": 1, "image": "AMBER_1.jpg", "query": "Describe this image."}


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("annotations.json", '[{"id": 1, "type": "gen', r"annotations.json: no valid JSON"),
        ("annotations.json", {"id": 1}, r"a list of objects is needed"),
        ("annotations.json", [3], r"entry 1: an object is needed"),
        ("annotations.json", '[{"id": NaN}]', r"NaN is no number"),
        ("annotations.json", [GENERATIVE, GENERATIVE], r"entry 2: the id 1 was there before"),
        ("annotations.json", [GENERATIVE | {"id": "one"}], r"'id' must be a whole number"),
        ("annotations.json", [GENERATIVE | {"truth": "sky"}], r"'truth' must be a list of words"),
        ("annotations.json", [GENERATIVE | {"hallu": ["unicorn"]}], r"'unicorn' is not in relation.json"),
        ("annotations.json", [GENERATIVE | {"type": "poetic"}], r"the type 'poetic' is unknown; known: generative"),
        ("annotations.json", [ASKED | {"truth": "maybe"}], r"must be 'yes' or 'no'; got 'maybe'"),
        ("relation.json", [], r"relation.json: an object of words"),
        ("relation.json", {"sky": "cloud"}, r"'sky' must be a list of words"),
        ("query/query_all.json", [QUERY | {"image": "../../etc/passwd"}], r"named AMBER_<number>.jpg; got '../../etc/passwd'"),
        ("query/query_all.json", [QUERY | {"id": 77777}], r"the id 77777 is not in annotations.json"),
        ("query/query_all.json", [QUERY, QUERY | {"query": "What?"}], r"the id 1 was there before with another"),
        ("query/query_all.json", [QUERY | {"query": None}], r"'query' must be a text; it is null"),
    ],
)
def test_what_is_wrong_is_told_in_one_line(folder, name, content, told):
    put(folder, name, content)
    with pytest.raises(BadInput, match=told) as error:
        read_amber(folder)
    assert "\n" not in str(error.value)


def test_bytes_that_are_no_text_and_missing_files(folder):
    (folder / "safe_words.txt").write_bytes(b"or\xffange")
    with pytest.raises(BadInput, match=r"safe_words\.txt: no UTF-8"):
        read_amber(folder)
    (folder / "safe_words.txt").unlink()
    with pytest.raises(BadInput, match=r"safe_words\.txt: there is no such file"):
        read_amber(folder)


def test_an_image_is_looked_for_inside_its_folder_only(folder):
    (folder / "AMBER_1.jpg").write_bytes(b"")
    assert image_path(folder, AmberQuery(1, 1, "AMBER_1.jpg", "")) == folder / "AMBER_1.jpg"
    with pytest.raises(BadInput, match="leads out of this folder"):
        image_path(folder, AmberQuery(1, 1, "../relation.json", ""))
    with pytest.raises(BadInput, match="there is no such image"):
        image_path(folder, AmberQuery(2, 2, "AMBER_2.jpg", ""))
