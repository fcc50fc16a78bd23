"""POPE and OPOPE through the door, on files in the owners' formats, against counts by loops."""

import json
import re

import pytest

from tests.analysis.score.door import CAPTIONS, refused, score, strictly, write_captions, write_lines

OBJECTS = {
    1: ["dog", "cat", "person"],
    2: ["train"],
    3: ["bench", "dog", "person"],
    5: ["dining table", "bottle", "person", "chair"],
    6: ["car", "person", "dog"],
}
ASKED = [("dog", "yes"), ("car", "no"), ("cat", "yes"), ("train", "no")]


@pytest.fixture
def questions(tmp_path):
    folder = tmp_path / "questions"
    for strategy in ("random", "popular", "adversarial"):
        rows = [
            {"question_id": 1 + n, "image": f"COCO_val2014_{image_id:012d}.jpg", "text": f"Is there a {name} in the image?", "label": label}
            for n, (image_id, (name, label)) in enumerate((i, asked) for i in (1, 3, 6) for asked in ASKED)
        ]
        write_lines(folder / f"coco_pope_{strategy}.json", rows)
    return folder


@pytest.fixture
def answers(tmp_path):
    """One file a strategy; the adversarial answers say yes to everything, the others are right but for the first."""
    folder = tmp_path / "answers"
    for strategy in ("random", "popular", "adversarial"):
        said = ["Yes." if label == "yes" or strategy == "adversarial" else "No, there is not." for _ in range(3) for _, label in ASKED]
        said[0] = "No."
        write_lines(folder / f"answers_{strategy}.jsonl", ({"question_id": 1 + n, "answer": text} for n, text in enumerate(said)))
    return folder


def test_files_are_compared_over_the_questions_that_both_answered(capsys, tmp_path, questions, answers):
    """Answers that a run of the same model had given before it was ended differ in nothing from those of the whole run."""
    part = tmp_path / "part"
    for path in answers.iterdir():
        lines = [line for line in path.read_text().splitlines() if json.loads(line)["question_id"] % 2]
        write_lines(part / path.name, map(json.loads, lines))
    out = tmp_path / "pope.json"
    options = ("--missing", "leave", "--against", answers, "--json", out)
    ended = score(capsys, "pope", "--questions", questions, "--answers", part, *options)
    assert ended.status == 0, ended
    rows = {row["where"]["measure"]: row for row in strictly(out)["comparison"] if row["test"]}
    assert rows["accuracy"]["estimate"] == rows["yes_ratio"]["estimate"] == 0
    assert "compared on the 18 questions of both files; left out: 0 of --captions and 18 of --against only" in ended.err


def test_pope_counts_each_strategy_and_averages_them(capsys, tmp_path, questions, answers):
    out = tmp_path / "pope.json"
    ended = score(capsys, "pope", "--questions", questions, "--answers", answers, "--json", out)
    assert ended.status == 0, ended
    found = strictly(out)
    # random and popular: 11 of 12 right; adversarial: 5 of 6 yes right, no denial at all
    assert found["metrics"]["accuracy/random"] == 11 / 12
    assert found["metrics"]["accuracy/adversarial"] == 5 / 12
    assert found["metrics"]["accuracy"] == pytest.approx((11 + 11 + 5) / 36)
    assert found["metrics"]["yes_ratio/adversarial"] == 11 / 12
    assert found["metrics"]["precision/random"] == 1
    assert found["mode"].startswith("pope")
    assert found["n"] == {"answers": 36, "images": 3}
    assert len(found["captions"]) == 36
    assert found["captions"][0]["key"] == "adversarial/1"
    assert "accuracy/random" in ended.out
    assert "91.67 %" in ended.out
    again = score(capsys, "pope", "--questions", questions, "--captions", answers, "--parser", "vcd", "--json", out)
    assert again.status == 0
    assert "label-dependent" in strictly(out)["mode"]


def test_pope_of_one_strategy_and_with_questions_left_out(capsys, tmp_path, questions):
    said = write_lines(tmp_path / "said.jsonl", ({"question_id": n, "text": "yes"} for n in range(1, 9)))
    one = questions / "coco_pope_popular.json"
    assert "4 of 12 questions have no answer" in refused(capsys, "pope", "--questions", one, "--answers", said)
    ended = score(capsys, "pope", "--questions", one, "--answers", said, "--missing", "leave", "--json", tmp_path / "o.json")
    assert ended.status == 0
    assert any("4 of 12 questions have no answer and are left out" in note for note in ended.notices)
    found = strictly(tmp_path / "o.json")
    assert found["metrics"]["accuracy"] == 0.5
    assert found["n"] == {"answers": 8, "images": 2}
    assert any("left out" in note for note in found["notes"])


def test_pope_takes_a_list_and_no_strategy_for_a_folder(capsys, tmp_path, questions, answers):
    one = questions / "coco_pope_random.json"
    said = tmp_path / "said.json"
    said.write_text("[" + ",\n".join((answers / "answers_random.jsonl").read_text().splitlines()) + "]")
    assert score(capsys, "pope", "--questions", one, "--answers", said, "--json", tmp_path / "list.json").status == 0
    ended = score(capsys, "pope", "--questions", one, "--answers", answers / "answers_random.jsonl", "--json", tmp_path / "lines.json")
    assert ended.status == 0
    assert strictly(tmp_path / "list.json")["metrics"] == strictly(tmp_path / "lines.json")["metrics"]
    line = refused(capsys, "pope", "--questions", questions, "--answers", answers, "--strategy", "random")
    assert "give the random file alone, or no strategy" in line


def test_hashes_are_those_of_the_files_that_are_read(capsys, tmp_path, questions, answers):
    made = []
    for _ in range(2):  # the second time, what the first wrote lies among the answers
        out = answers / "out.json"
        assert score(capsys, "pope", "--questions", questions, "--answers", answers, "--json", out).status == 0
        (questions / "notes.txt").write_text("nothing that is read")
        made.append(out.read_bytes())
    assert made[0] == made[1]
    scored = answers / "answers_popular.jsonl"
    assert "this file is scored" in refused(capsys, "pope", "--questions", questions, "--answers", answers, "--json", scored)
    (questions / "coco_pope_popular.json").write_text((questions / "coco_pope_popular.json").read_text() + "\n")
    assert score(capsys, "pope", "--questions", questions, "--answers", answers, "--json", out).status == 0
    assert strictly(out)["provenance"]["data"] != json.loads(made[0])["provenance"]["data"]
    assert "--questions" in refused(
        capsys, "pope", "--questions", said := answers / "answers_random.jsonl", "--answers", out, "--json", said
    )


def test_pope_refuses_answers_to_what_was_not_asked(capsys, tmp_path, questions):
    one = questions / "coco_pope_popular.json"
    for rows, told in (
        ([{"question_id": 99, "answer": "no"}], "'popular/99' was not asked"),
        ([{"question_id": 1, "answer": "no"}, {"question_id": 1, "answer": "yes"}], "line 2.*answered twice"),
        ([{"question_id": 1}], "line 1: no answer"),
        ([], "holds no answer"),
    ):
        line = refused(capsys, "pope", "--questions", one, "--answers", write_lines(tmp_path / "said.jsonl", rows))
        assert re.search(told, line), line


def test_answers_that_say_neither_are_told_and_refused_where_there_is_no_other(capsys, tmp_path, questions):
    one, said, out = questions / "coco_pope_popular.json", tmp_path / "said.jsonl", tmp_path / "out.json"
    command = ("pope", "--questions", one, "--answers", said, "--json", out)
    # under POPE's own rule such answers are all a yes, and half of the questions' truth is yes
    write_lines(said, ({"question_id": n, "answer": "A dog beside a car, snowy."} for n in range(1, 13)))
    for parser in ("pope", "opera", "vcd", "exact"):
        line = refused(capsys, *command, "--parser", parser)
        assert "none of the 12 answers says yes or no" in line
        assert "'A dog beside a car, snowy.'" in line
    assert not out.exists()
    some = ["YES!", "There is none.", "I can’t see one", "A dog.", *["No."] * 8]
    write_lines(said, ({"question_id": n, "answer": text} for n, text in enumerate(some, 1)))
    ended = score(capsys, *command)
    assert ended.status == 0, ended
    told = "2 of 12 answers (16.7 %) are neither yes nor no and taken for yes (rule pope); the first: 'There is none.'."
    assert any(told in note for note in ended.notices)
    assert told in strictly(out)["notes"]
    ended = score(capsys, *command, "--parser", "exact")  # of the bare word alone: with a full stop it is none
    assert any("12 of 12 answers (100.0 %) are neither yes nor no and taken for wrong (rule exact)" in note for note in ended.notices)
    write_lines(said, ({"question_id": n, "answer": "no"} for n in range(1, 13)))
    assert score(capsys, *command, "--parser", "exact").err == ""


def test_opope_searches_captions_for_the_objects_asked_about(capsys, tmp_path):
    objects = write_lines(
        tmp_path / "segmentation.json",
        ({"image": f"COCO_val2014_{i:012d}.jpg", "image_id": i, "objects": names} for i, names in OBJECTS.items()),
    )
    captions = write_captions(tmp_path / "said.jsonl", {i: CAPTIONS[i] for i in (1, 2, 3, 5, 6)})
    ended = score(capsys, "opope", "--captions", captions, "--objects", objects, "--json", tmp_path / "o.json")
    assert ended.status == 0, ended
    assert any("1 of 5 answers passed over, no question is asked about this image" in note for note in ended.notices)
    found = strictly(tmp_path / "o.json")
    assert found["n"] == {"answers": 4, "images": 4}
    assert len(found["captions"]) == 5
    # by loops over the questions that the records hold: any word of the name, as it is spelt, anywhere in the caption
    for strategy in ("random", "popular", "adversarial"):
        cells = {"tp": 0, "fp": 0, "tn": 0, "fn": 0}
        for record in found["captions"]:
            for asked in record["questions"]:
                if asked["key"].startswith(strategy):
                    seen = any(word in CAPTIONS[record["image_id"]] for word in asked["object"].split(" "))
                    there = asked["object"] in OBJECTS[record["image_id"]]
                    cells[("t" if seen == there else "f") + ("p" if seen else "n")] += 1
        assert sum(cells.values()) == 24
        precision, recall = cells["tp"] / (cells["tp"] + cells["fp"]), cells["tp"] / (cells["tp"] + cells["fn"])
        assert found["metrics"][f"precision/{strategy}"] == pytest.approx(precision)
        assert found["metrics"][f"f_beta/{strategy}"] == pytest.approx(1.04 * precision * recall / (0.04 * precision + recall))


def test_opope_of_unknown_images_and_of_several_sources(capsys, tmp_path):
    objects = write_lines(tmp_path / "objects.json", ({"image_id": i, "objects": names} for i, names in OBJECTS.items()))
    captions = write_captions(tmp_path / "said.jsonl", {i: CAPTIONS[i] for i in (1, 3, 5, 6, 7)})
    line = refused(capsys, "opope", "--captions", captions, "--objects", objects)
    assert "1 captions are of images not in" in line
    assert "image 7" in line
    assert score(capsys, "opope", "--captions", captions, "--objects", objects, "--unknown", "empty").status == 0
    assert "needs one of --annotations, --objects and --questions" in refused(capsys, "opope", "--captions", captions)
    torn = tmp_path / "torn.json"
    torn.write_text(json.dumps({"image_id": 1, "objects": "dog"}))
    assert "'objects' must be a list of names" in refused(capsys, "opope", "--captions", captions, "--objects", torn)


def test_opope_of_images_that_are_not_asked_about_is_refused(capsys, tmp_path):
    objects = write_lines(tmp_path / "objects.json", ({"image_id": i, "objects": names} for i, names in OBJECTS.items()))
    captions = write_captions(tmp_path / "said.jsonl", {7: "A dog."})
    line = refused(capsys, "opope", "--captions", captions, "--objects", objects, "--unknown", "empty", "--missing", "leave")
    assert "none of its 1 answers counts (no question is asked about this image)" in line


def test_opope_compares_two_models_on_the_same_questions(capsys, tmp_path):
    objects = write_lines(tmp_path / "objects.json", ({"image_id": i, "objects": names} for i, names in OBJECTS.items()))
    ours = write_captions(tmp_path / "ours.jsonl", {i: CAPTIONS[i] for i in (1, 3, 5, 6)})
    other = write_captions(tmp_path / "other.jsonl", dict.fromkeys((1, 3, 5, 6), "A dog, a car, a train and a person at a table."))
    ended = score(capsys, "opope", "--captions", ours, "--against", other, "--objects", objects, "--json", tmp_path / "o.json")
    assert ended.status == 0, ended
    fewer = write_captions(tmp_path / "fewer.jsonl", dict.fromkeys((1, 3, 5), "A dog."))
    command = ("opope", "--captions", ours, "--against", fewer, "--objects", objects)
    assert "1 of 4 images with questions have no caption" in refused(capsys, *command)
    assert "on the 3 images of both" in score(capsys, *command, "--missing", "leave").out
    rows = {row["name"]: row for row in strictly(tmp_path / "o.json")["comparison"]}
    first, second = rows["opope/precision/captions"], rows["opope/precision/against"]
    assert rows["opope/precision/captions - against"]["estimate"] == pytest.approx(first["estimate"] - second["estimate"])
    assert rows["opope/precision/captions - against"]["n"] == 4
    assert "minus --against, on the 4 images of both" in ended.out
