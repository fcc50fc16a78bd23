"""Caption logs of other people's evaluation programs, one small invented log a shape."""

import json

import pytest

from analysis.metrics.metric import Answer
from analysis.score.answers import read_answers
from analysis.score.logs import log_files, read_log
from probes.command.cli import BadInput, Notice

SAID = [Answer(42, "A dog, on a bench."), Answer(7, 'Two cats.\n\nA "kite".')]
NAMES = {42: "COCO_val2014_000000000042.jpg", 7: "COCO_val2014_000000000007.jpg"}


def lines(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def lmms(one):
    doc = {"question_id": NAMES[one.image_id], "question": "Describe.", "answer": ["A person's caption."], "id": 0}
    return {"doc_id": 3, "doc": doc, "target": "A person's caption.", "resps": [[one.text]], "filtered_resps": [one.text]}


def table(mark, header=("index", "image_path", "question", "answer", "prediction")):
    rows = [header, *((i, NAMES[one.image_id], "Describe.", "hoped for", one.text) for i, one in enumerate(SAID))]
    quoted = [['"' + str(cell).replace('"', '""') + '"' for cell in row] for row in rows]
    return "\r\n".join(mark.join(row) for row in quoted) + "\r\n"


SHAPES = {
    "lines.jsonl": lines({"image_id": one.image_id, "caption": one.text} for one in SAID),
    "list.json": json.dumps([{"image": NAMES[one.image_id], "text": one.text} for one in SAID], indent=1),
    "chair.json": json.dumps(
        {"sentences": [{"image_id": one.image_id, "caption": one.text, "metrics": {}} for one in SAID], "overall_metrics": {"CHAIRs": 1}}
    ),
    "chair_indented.json": json.dumps(
        {"overall_metrics": {}, "sentences": [{"image_id": o.image_id, "caption": o.text} for o in SAID]}, indent=2
    ),
    "samples.jsonl": lines(map(lmms, SAID)),
    "older.json": json.dumps({"args": {}, "model_configs": {}, "logs": [lmms(one) for one in SAID]}),
    "predictions.tsv": table("\t"),
    "predictions.csv": table(","),
    "predictions.json": json.dumps([{"image_path": NAMES[o.image_id], "answer": "hoped for", "prediction": o.text} for o in SAID]),
    "by_image.json": json.dumps({NAMES[one.image_id]: one.text for one in SAID}),
    "by_image_indented.json": json.dumps({str(one.image_id): one.text for one in SAID}, indent=1),
}


@pytest.mark.parametrize("name", SHAPES)
def test_a_log_is_read_whatever_its_shape(tmp_path, name):
    path = tmp_path / name
    path.write_text(SHAPES[name], encoding="utf-8", newline="")
    assert read_log(path) == SAID
    assert log_files(path) == [path]


def test_answers_of_llava_name_the_image_by_question_id_which_is_told(tmp_path):
    path = tmp_path / "answers.jsonl"
    path.write_text(
        lines({"question_id": o.image_id, "prompt": "Describe.", "text": o.text, "answer_id": "x", "metadata": {}} for o in SAID)
    )
    with pytest.warns(Notice, match=r"line 1 and those like it name no image: question_id is read"):
        assert read_log(path) == SAID


def test_a_folder_has_a_file_an_image(tmp_path):
    for one in SAID:
        (tmp_path / NAMES[one.image_id]).with_suffix(".txt").write_text(one.text + "\n")
    (tmp_path / "README.md").write_text("not a caption")
    assert read_log(tmp_path) == sorted(SAID, key=lambda one: one.image_id)
    assert [one.file for one in read_log(tmp_path)] == [file.name for file in log_files(tmp_path)]


def test_what_read_answers_reads_is_read_alike(tmp_path):
    path = tmp_path / "said.jsonl"
    path.write_text("\n" + SHAPES["lines.jsonl"].replace("\n", "\r\n\r\n"))
    assert read_log(path) == read_answers(path)
    path.write_text(SHAPES["lines.jsonl"].splitlines()[0])
    assert read_log(path) == read_answers(path) == SAID[:1]
    for empty in ("", "[]"):
        path.write_text(empty)
        assert read_log(path) == []


REFUSED = {
    "numbers.tsv": ("index\tprediction\n0\tA dog.\n", "row 2: which image is it"),
    "silent.jsonl": (lines([{"image_id": 1, "question": "Describe."}]), r"line 1: what was said\? One of prediction, caption"),
    "nothing.jsonl": (lines([{"doc": {"id": 1}, "resps": [[]]}]), "line 1: 'resps' must be a text"),
    "torn.json": ('{"sentences": [{"image_id": 1,\n', "no valid JSON"),
    "strange.json": (json.dumps({"sentences": ["A dog."]}), "sentences 1: a JSON object is needed"),
    "excel.xlsx": ("PK", "tables of Excel are not read"),
    "bytes.csv": ("image_id,prediction\n1,\udcff\n", "no UTF-8"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_a_log_that_cannot_be_used_is_one_line(tmp_path, name):
    content, why = REFUSED[name]
    path = tmp_path / name
    path.write_bytes(content.encode("utf-8", "surrogateescape"))
    with pytest.raises(BadInput, match=why):
        read_log(path)


def test_a_folder_without_captions_or_with_nameless_ones_is_one_line(tmp_path):
    with pytest.raises(BadInput, match="holds no file of captions"):
        read_log(tmp_path)
    (tmp_path / "dog.txt").write_text("A dog.")
    with pytest.raises(BadInput, match="which image is it"):
        read_log(tmp_path)
