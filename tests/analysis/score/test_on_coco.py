"""CHAIR, OPOPE and Object HalBench through the door, on files in COCO's format, against sets counted by hand."""

import json

import pytest

from analysis.metrics import chair
from tests.analysis.score.door import CAPTIONS, INSTANCES, refused, score, strictly, write_captions, write_lines

# what is in each image, by its instances and its human captions
TRUTH = {
    1: {"dog", "cat", "person"},
    2: {"train"},
    3: {"bench", "dog", "person"},
    4: set(),
    5: {"dining table", "bottle", "person", "chair"},
    6: {"car", "person", "dog"},
    7: {"cat"},
    8: {"person", "car", "bench"},
}
# what each caption names, mention by mention ("men" has no lemma in CHAIR)
NAMED = {
    1: ["dog", "cat", "car", "person"],
    2: ["train", "person"],
    3: ["dog"],
    4: [],
    5: ["dining table", "bottle", "cup", "person", "chair"],
    6: ["car", "person", "dog"],
    7: [],
    8: ["bench", "dog", "cat"],
}


def by_loops(named: dict[int, list[str]]) -> dict[str, float]:
    mentions = hallucinated = hallucinating = recalled = truth = distinct = 0
    for image_id, objects in named.items():
        absent = [name for name in objects if name not in TRUTH[image_id]]
        mentions += len(objects)
        hallucinated += len(absent)
        hallucinating += bool(absent)
        recalled += len(set(objects) & TRUTH[image_id])
        truth += len(TRUTH[image_id])
        distinct += len(set(objects))
    precision, recall = recalled / distinct, recalled / truth
    return {
        "chair_s": hallucinating / len(named),
        "chair_i": hallucinated / mentions,
        "recall": recall,
        "precision": precision,
        "f1": 2 * precision * recall / (precision + recall),
        "mentions": mentions / len(named),
    }


def test_chair_is_what_is_counted_by_hand(capsys, tmp_path, options):
    said, out = write_captions(tmp_path / "said.jsonl"), tmp_path / "deep" / "out.json"
    ended = score(capsys, "chair", "--captions", said, *options, "--json", out)
    assert ended.status == 0, ended
    found = strictly(out)
    for name, value in by_loops(NAMED).items():
        assert found["metrics"][name] == pytest.approx(value, rel=1e-14), name
    assert found["mode"] == "bundled"
    assert found["n"] == {"answers": 8, "images": 8}
    assert [record["image_id"] for record in found["captions"]] == list(CAPTIONS)
    for record in found["captions"]:
        assert [mention["object"] for mention in record["mentions"]] == NAMED[record["image_id"]]
        assert set(record["recalled"]) == set(NAMED[record["image_id"]]) & TRUTH[record["image_id"]]
        for mention in record["mentions"]:
            assert mention["hallucinated"] == (mention["object"] not in TRUTH[record["image_id"]])
            assert set(mention) == {"word", "object", "start", "end", "tokens", "hallucinated"}
    place = found["captions"][0]["mentions"][3]
    assert CAPTIONS[1][place["start"] : place["end"]] == "man"
    for name, (low, high) in found["intervals"].items():
        assert found["reasons"][name].startswith("interval: ") if low is None else low <= found["metrics"][name] <= high
    assert found["intervals"]["chair_s"] != [None, None]
    assert found["provenance"]["config"]["mode"] == "bundled"
    assert found["provenance"]["data"]["annotations"]
    assert len(found["provenance"]["sha256"][said.as_posix()]) == 64
    shown = {line.split()[0]: line for line in ended.out.splitlines() if line.strip()}
    assert f"{100 * found['metrics']['chair_i']:.2f} %" in shown["chair_i"]
    assert "words" in shown["length"]
    assert "8 answers of 8 images, mode bundled" in ended.out


def test_the_same_file_gives_the_same_bytes(capsys, tmp_path, options):
    said = write_captions(tmp_path / "said.jsonl")
    made = []
    for _ in range(2):
        assert score(capsys, "chair", "--captions", said, *options, "--json", tmp_path / "out.json").status == 0
        made.append((tmp_path / "out.json").read_bytes())
    assert made[0] == made[1]


def test_an_unknown_image_is_an_error_or_empty(capsys, tmp_path, options):
    said = write_captions(tmp_path / "said.jsonl", CAPTIONS | {999: "A dog."})
    out = tmp_path / "out.json"
    line = refused(capsys, "chair", "--captions", said, *options, "--json", out)
    assert "999" in line
    assert str(said) in line
    assert not out.exists()
    assert score(capsys, "chair", "--captions", said, *options, "--unknown", "empty", "--json", out).status == 0
    found = strictly(out)
    TRUTH[999] = set()
    try:
        expected = by_loops(NAMED | {999: ["dog"]})
    finally:
        del TRUTH[999]
    assert found["metrics"]["chair_s"] == pytest.approx(expected["chair_s"])
    assert found["metrics"]["chair_i"] == pytest.approx(expected["chair_i"])


@pytest.mark.parametrize("content", ["", "\n\n", "[]"])
@pytest.mark.parametrize("place", ["--captions", "--against"])
def test_a_file_without_an_answer_is_refused(capsys, tmp_path, options, content, place):
    empty = tmp_path / "empty.jsonl"
    empty.write_text(content)
    said = write_captions(tmp_path / "said.jsonl")
    files = {"--captions": said, "--against": said} | {place: empty}
    line = refused(capsys, "chair", *(word for pair in files.items() for word in pair), *options, "--json", tmp_path / "out.json")
    assert line.endswith(f"{empty}: holds no answer, so that there is nothing to score; was it written to its end?")
    assert not (tmp_path / "out.json").exists()


def test_captions_without_an_object_have_no_chair_i(capsys, tmp_path, options):
    said = write_captions(tmp_path / "said.jsonl", dict.fromkeys((1, 2, 3), "A quiet field."))
    ended = score(capsys, "chair", "--captions", said, *options, "--json", tmp_path / "out.json")
    assert ended.status == 0
    found = strictly(tmp_path / "out.json")
    assert found["metrics"]["chair_i"] is None
    assert found["metrics"]["chair_s"] == 0
    assert found["metrics"]["recall"] == 0
    assert found["reasons"]["chair_i"] == "no caption names an object"
    assert "no caption names an object" in ended.out


def test_an_image_captioned_twice_counts_twice_and_is_told(capsys, tmp_path, options):
    rows = [{"image_id": i, "caption": CAPTIONS[i]} for i in (1, 2, 3, 1)]
    said = write_lines(tmp_path / "said.jsonl", rows)
    ended = score(capsys, "chair", "--captions", said, *options, "--json", tmp_path / "out.json")
    assert ended.status == 0
    assert "1 image with more than one caption, each of which counts; 1 line repeats an earlier one word for word" in ended.err
    found = strictly(tmp_path / "out.json")
    assert found["n"] == {"answers": 4, "images": 3}
    assert found["metrics"]["recall"] == pytest.approx((3 + 1 + 1 + 3) / (3 + 1 + 3 + 3))
    assert any("word for word" in note for note in found["notes"])


def test_two_files_are_compared_on_the_images_of_both(capsys, tmp_path, options):
    ours = write_captions(tmp_path / "ours.jsonl")
    other = write_captions(tmp_path / "other.jsonl", {i: CAPTIONS[i] + " A cup and a dog." for i in (1, 2, 3, 5, 6)})
    ended = score(capsys, "chair", "--captions", ours, "--against", other, *options, "--json", tmp_path / "out.json")
    assert ended.status == 0, ended
    assert "compared on the 5 images of both files; left out: 3 of --captions and 0 of --against only" in ended.err
    rows = {row["name"]: row for row in strictly(tmp_path / "out.json")["comparison"]}
    mine = by_loops({i: NAMED[i] for i in (1, 2, 3, 5, 6)})
    theirs = by_loops({i: [*NAMED[i], "cup", "dog"] for i in (1, 2, 3, 5, 6)})
    for measure in ("chair_s", "chair_i", "f1"):
        row = rows[f"chair/{measure}/captions - against"]
        assert row["estimate"] == pytest.approx(mine[measure] - theirs[measure])
        assert row["role"] == "primary"
        assert 0 < row["p"] <= row["p_adjusted"] <= 1
    assert "points" in ended.out
    assert [line.split()[0] for line in ended.out.splitlines() if " * " in line] == ["chair_s", "chair_i", "f1", "*"]


def test_exact_words_are_used_where_nltk_has_its_data_and_refused_where_not(capsys, tmp_path, coco, nltk_data):
    said = write_captions(tmp_path / "said.jsonl")
    command = ("chair", "--captions", said, "--annotations", coco, "--cache", tmp_path / "cache")
    if not nltk_data:
        assert "NLTK" in refused(capsys, *command, "--mode", "exact")
        ended = score(capsys, *command)
        assert "bundled" in ended.err
    else:
        ended = score(capsys, *command, "--mode", "exact", "--json", tmp_path / "out.json")
        assert ended.status == 0, ended
        found = strictly(tmp_path / "out.json")
        assert found["mode"] == "exact"
        assert found["provenance"]["versions"]["nltk"]
        for name, value in by_loops(NAMED).items():
            assert found["metrics"][name] == pytest.approx(value), name
        assert score(capsys, *command, "--json", tmp_path / "auto.json").err == ""
        assert strictly(tmp_path / "auto.json")["metrics"] == found["metrics"]


def test_opope_builds_its_questions_from_the_annotations(capsys, tmp_path, coco):
    said = write_captions(tmp_path / "said.jsonl")
    command = ("opope", "--captions", said, "--annotations", coco, "--cache", tmp_path / "cache", "--json", tmp_path / "out.json")
    ended = score(capsys, *command)
    assert ended.status == 0, ended
    found = strictly(tmp_path / "out.json")
    asked = {record["image_id"] for record in found["captions"] if record["questions"]}
    assert asked == {image_id for image_id, objects in INSTANCES.items() if len(set(objects)) >= 3}
    assert found["n"]["images"] == len(asked)
    assert "not in" in refused(capsys, "opope", "--captions", write_captions(tmp_path / "more.jsonl", {77: "A dog."}), *command[3:])


def test_halbench_counts_each_object_of_an_answer_once(capsys, tmp_path, options):
    said = write_lines(tmp_path / "said.jsonl", ({"image_id": i, "answer": f"Assistant: {text}"} for i, text in CAPTIONS.items()))
    ended = score(capsys, "halbench", "--captions", said, *options, "--json", tmp_path / "out.json")
    assert ended.status == 0, ended
    found = strictly(tmp_path / "out.json")
    named = {record["image_id"]: [mention["object"] for mention in record["mentions"]] for record in found["captions"]}
    assert {i: sorted(objects) for i, objects in named.items()} == {
        i: sorted(NAMED[i]) if i not in (3, 8) else sorted(named[i]) for i in NAMED
    }
    assert named[3] == []  # "A dog." has three words or fewer: no object is looked for
    expected = by_loops(named)
    assert found["metrics"]["mention_hallucination"] == pytest.approx(expected["chair_i"])
    assert found["metrics"]["recall"] == pytest.approx(expected["recall"])
    absent = [bool(set(named[i]) - TRUTH[i]) for i in named if named[i]]
    assert found["metrics"]["response_hallucination"] == pytest.approx(sum(absent) / len(absent))
    assert found["mode"].startswith("rules")
    assert "needs both --extractor and --model" in refused(capsys, "halbench", "--captions", said, *options, "--model", "m")


def test_halbench_answers_without_an_image_go_by_the_order_of_the_questions(capsys, tmp_path, options):
    """As the public code pairs them with its own file; an answer to another question, or one too few, is refused."""
    ids, asked = list(CAPTIONS)[::-1], "What can you see?"
    questions = write_lines(tmp_path / "asked.jsonl", ({"image_id": f"{i:012d}.jpg", "question": f"{asked} {i}"} for i in ids))
    named = write_lines(tmp_path / "named.jsonl", ({"image_id": i, "answer": CAPTIONS[i]} for i in ids))
    bare = write_lines(tmp_path / "bare.jsonl", ({"question": f"{asked} {i}", "answer": CAPTIONS[i]} for i in ids))
    found = []
    for said in (named, bare):
        command = ("halbench", "--captions", said, *options, "--questions", questions)
        assert score(capsys, *command, "--json", tmp_path / "out.json").status == 0
        found.append(strictly(tmp_path / "out.json"))
    assert found[0]["captions"] == found[1]["captions"]
    assert "questions" in found[1]["provenance"]["data"]
    assert "which image is it?" in refused(capsys, "halbench", "--captions", bare, *options)
    lines = bare.read_text().splitlines(keepends=True)
    bare.write_text("".join(lines[1:]))
    told = "7 answers without an image, and 8 questions in"
    assert told in refused(capsys, "halbench", "--captions", bare, *options, "--questions", questions)
    bare.write_text("".join(reversed(lines)))
    told = "line 1: this answers 'What can you see? 1', but 'What can you see? 8' was asked here"
    assert told in refused(capsys, "halbench", "--captions", bare, *options, "--questions", questions)


def test_the_house_s_own_score_is_the_same(capsys, tmp_path, coco, options):
    said = write_captions(tmp_path / "said.jsonl")
    assert score(capsys, "chair", "--captions", said, *options, "--json", tmp_path / "out.json").status == 0
    instances, written = (json.loads((coco / f"{kind}_val2014.json").read_text()) for kind in ("instances", "captions"))
    truth = chair.ground_truth(instances, ((item["image_id"], item["caption"]) for item in written["annotations"]))
    known = chair.ratios(chair.count(chair.score_caption(text, truth[image_id], image_id) for image_id, text in CAPTIONS.items()).sum(0))
    found = strictly(tmp_path / "out.json")["metrics"]
    assert found == pytest.approx({name: float(known[name]) for name in found})
