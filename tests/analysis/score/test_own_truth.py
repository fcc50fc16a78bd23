"""`score chair` with one's own lists of objects and one's own synonyms, and the names of the images' files in its results."""

import hashlib

import pytest

from tests.analysis.score.door import CAPTIONS, refused, score, strictly, write_captions, write_lines
from tests.analysis.score.test_on_coco import NAMED, TRUTH, by_loops


@pytest.fixture
def lists(tmp_path):
    return write_lines(tmp_path / "truth.jsonl", ({"image_id": i, "objects": sorted(names)} for i, names in TRUTH.items()))


def test_lists_of_objects_are_the_truth_and_nothing_is_missing_from_them(capsys, tmp_path, lists):
    said, out = write_captions(tmp_path / "said.jsonl"), tmp_path / "out.json"
    ended = score(capsys, "chair", "--captions", said, "--annotations", lists, "--mode", "bundled", "--json", out)
    assert ended.status == 0, ended
    assert ended.err == ""  # no word of captions that are not beside it
    found = strictly(out)
    for name, value in by_loops(NAMED).items():
        assert found["metrics"][name] == pytest.approx(value), name
    assert {record["image_id"]: set(record["truth"]) for record in found["captions"]} == TRUTH
    assert found["provenance"]["data"] == {"annotations": hashlib.sha256(lists.read_bytes()).hexdigest()}


def test_lists_of_objects_serve_halbench_and_opope_too(capsys, tmp_path, lists):
    said, out = write_captions(tmp_path / "said.jsonl"), tmp_path / "out.json"
    command = ("--captions", said, "--annotations", lists)
    assert score(capsys, "halbench", *command, "--mode", "bundled", "--json", out).status == 0
    assert {record["image_id"]: set(record["truth"]) for record in strictly(out)["captions"]} == TRUTH
    assert score(capsys, "opope", *command, "--json", out).status == 0
    by_annotations = strictly(out)["metrics"]
    assert score(capsys, "opope", "--captions", said, "--objects", lists, "--json", out).status == 0
    assert strictly(out)["metrics"] == by_annotations


def test_lists_that_lack_an_image_or_name_what_chair_does_not_know(capsys, tmp_path, lists):
    said = write_captions(tmp_path / "said.jsonl", CAPTIONS | {999: "A dog."})
    assert "the first of image 999" in refused(capsys, "chair", "--captions", said, "--annotations", lists)
    strange = write_lines(tmp_path / "strange.jsonl", [{"image_id": 1, "objects": ["unicorn"]}])
    one = write_captions(tmp_path / "one.jsonl", {1: "A dog."})
    assert f"{strange}, image 1: the category 'unicorn' is none of COCO's" in refused(
        capsys, "chair", "--captions", one, "--annotations", strange
    )


def test_one_of_cocos_files_is_told_to_lie_in_a_folder(capsys, tmp_path, coco):
    said = write_captions(tmp_path / "said.jsonl")
    line = refused(capsys, "chair", "--captions", said, "--annotations", coco / "instances_val2014.json")
    assert "this is a file, give the folder that holds it" in line


def test_own_synonyms_decide_what_is_named(capsys, tmp_path):
    words = tmp_path / "words.txt"
    words.write_text("hound, dog, dogs\nunicorn, horse\nscreen door, screen doors\n")
    truth = write_lines(tmp_path / "truth.jsonl", [{"image_id": 1, "objects": ["hound"]}, {"image_id": 2, "objects": ["screen door"]}])
    said = write_captions(tmp_path / "said.jsonl", {1: "Two dogs and a horse beside a car.", 2: "Two screen doors."})
    out, command = tmp_path / "out.json", ("chair", "--captions", said, "--annotations", truth, "--mode", "bundled")
    assert "the category 'screen door' is none of COCO's" in refused(capsys, *command)
    ended = score(capsys, *command, "--synonyms", words, "--json", out)
    assert ended.status == 0, ended
    found = strictly(out)
    named = [[(one["word"], one["object"], one["hallucinated"]) for one in record["mentions"]] for record in found["captions"]]
    assert named == [[("dog", "hound", False), ("horse", "unicorn", True)], [("screen doors", "screen door", False)]]
    assert found["metrics"]["chair_i"] == pytest.approx(1 / 3)
    assert found["provenance"]["data"]["synonyms"] == hashlib.sha256(words.read_bytes()).hexdigest()
    assert found["provenance"]["config"]["synonyms"] == str(words)


def test_synonyms_that_cannot_be_used_are_told_before_annotations_are_read(capsys, tmp_path):
    words, said = tmp_path / "words.txt", write_captions(tmp_path / "said.jsonl")
    words.write_text("dog, puppy\ncat, puppy\n")
    command = ("chair", "--captions", said, "--annotations", tmp_path / "absent", "--synonyms", words)
    assert f"{words}, line 2: 'puppy' names 'dog' in an earlier line" in refused(capsys, *command)
    assert "must not be the file that is scored or read (--synonyms)" in refused(capsys, *command, "--json", words)


def test_words_that_coco_has_and_the_own_table_lacks(capsys, tmp_path, coco):
    words, said = tmp_path / "words.txt", write_captions(tmp_path / "said.jsonl")
    words.write_text("dog, puppy\n")
    line = refused(capsys, "chair", "--captions", said, "--annotations", coco, "--cache", tmp_path / "cache", "--synonyms", words)
    assert f"is not in {words}; add a line that begins with it, or use its words" in line


def test_the_names_of_images_are_kept(capsys, tmp_path, options):
    names = {1: "val2014/COCO_val2014_000000000001.jpg", 2: "kitchen_2.png"}
    rows = [{"image": name, "image_id": i, "caption": CAPTIONS[i]} for i, name in names.items()] + [{"image_id": 3, "caption": CAPTIONS[3]}]
    said, out = write_lines(tmp_path / "said.jsonl", rows), tmp_path / "out.json"
    for benchmark in ("chair", "halbench"):
        assert score(capsys, benchmark, "--captions", said, *options, "--json", out).status == 0
        kept = [(record["image_id"], record.get("file_name")) for record in strictly(out)["captions"]]
        assert kept == [(1, names[1]), (2, names[2]), (3, None)]
        assert list(strictly(out)["captions"][0])[:2] == ["image_id", "file_name"]


def test_files_whose_names_give_one_number_are_told(capsys, tmp_path, options):
    rows = [{"image": name, "caption": "A dog."} for name in ("kitchen_1.jpg", "hall_1.jpg", "COCO_val2014_000000000002.jpg")]
    rows.append({"image": "val2017/000000000002.jpg", "caption": "A train."})
    ended = score(capsys, "chair", "--captions", write_lines(tmp_path / "said.jsonl", rows), *options)
    assert ended.status == 0
    told = [line for line in ended.notices if "both read as image" in line]
    assert len(told) == 1
    assert "'kitchen_1.jpg' and 'hall_1.jpg' are both read as image 1; give image_id beside the names" in told[0]
