"""The plan: what decides the captions, and what it does not mix."""

import dataclasses
import json
from pathlib import Path

import pytest

from analysis.benchmark.annotated_images import chosen, pool, read_ids
from analysis.benchmark.config import BenchmarkConfig
from analysis.benchmark.images import Scenes
from analysis.benchmark.plan import Plan, PlanItem, read_plan
from analysis.benchmark.planning import looked_at, plan_file, planned
from analysis.benchmark.store import AnswerLine, AnswerStore
from probes.command.cli import BadInput, Notice

ITEMS = tuple(PlanItem(str(i), i, f"test/{i}", "What?", "ab", "damaged" if i == 3 else "") for i in range(8))
PLAN = Plan("captions", "emoji", "sha256:1", "cpu", "float32", 9, False, 1.0, 0, 3, ITEMS, {"b": None, "a": {"x": 1}}, {"choice": "all"})


def test_a_plan_comes_back_as_it_was_written(tmp_path):
    PLAN.write(tmp_path / "plan.json")
    found = read_plan(tmp_path / "plan.json")
    assert found == PLAN
    assert list(found.methods) == ["b", "a"], "the order of the table"


def test_batches_are_those_of_the_usable_items_in_their_order():
    assert [[item.key for item in batch] for batch in PLAN.batches] == [["0", "1", "2"], ["4", "5", "6"], ["7"]]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"subject": "x"}, "subject"),
        ({"max_new_tokens": 10}, "max new tokens 10, not 9"),
        ({"batch_size": 4}, "batch size"),
        ({"sample": True}, "sample"),
        ({"asks": "pope"}, "asks"),
        ({"items": ITEMS[:5]}, "5 questions, not 8"),
        ({"items": (*ITEMS[:7], PlanItem("9", 9, "test/9", "What?"))}, "question 8 differs"),
        ({"methods": {"a": {"x": 2}}}, "a with other options"),
    ],
)
def test_captions_of_something_else_are_not_gone_on_with(change, told):
    assert told in PLAN.misfit(dataclasses.replace(PLAN, **change))


def test_checksums_and_further_methods_are_the_same_plan():
    bare = tuple(dataclasses.replace(item, sha256="", error="") for item in ITEMS)
    assert PLAN.misfit(dataclasses.replace(PLAN, items=bare, methods={"c": None}, origin={})) == ""
    assert list(PLAN.with_methods({"c": None}).methods) == ["b", "a", "c"]


@pytest.mark.parametrize(
    "change", [{"max_new_tokens": "9"}, {"batch_size": 0}, {"seed": None}, {"sample": 1}, {"dtype": 3}, {"origin": []}, {"methods": []}]
)
def test_a_plan_with_a_field_of_another_type_is_told(tmp_path, change):
    path = tmp_path / "plan.json"
    PLAN.write(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(BadInput, match=r"plan\.json: is no plan of a benchmark \(TypeError\)"):
        read_plan(path)


def test_a_plan_without_answers_binds_nobody_and_answers_without_a_plan_are_refused(tmp_path):
    def asked(**options):
        return planned(BenchmarkConfig(out=tmp_path, images=2, **options))

    asked(device="cuda:7").plan.write(plan_file(tmp_path))  # a machine that has no such device gives no answer
    assert asked().new
    asked().plan.write(plan_file(tmp_path))
    AnswerStore(tmp_path / "captions" / "baseline.jsonl").append([AnswerLine("1", 1, "What?", "A dog.")])
    assert not asked().new
    with pytest.raises(BadInput, match="another run"):
        asked(device="cuda")
    plan_file(tmp_path).unlink()
    with pytest.raises(BadInput, match=r"holds answers, and .*plan\.json is missing"):
        asked()


def test_a_replay_leaves_out_what_its_plan_left_out():
    there = tuple(dataclasses.replace(item, sha256="") for item in ITEMS)  # image 3 is damaged there, and whole here
    seen = looked_at(dataclasses.replace(PLAN, items=there), Scenes())
    assert [item.key for item in seen.items if item.error] == ["3"]
    assert [[item.key for item in batch] for batch in seen.batches] == [[item.key for item in batch] for batch in PLAN.batches]


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 2}', '{"schema": 1, "items": [{}]}', '{"schema": 1, "items": 3}'])
def test_what_is_no_plan_is_told_in_one_line(tmp_path, text):
    path = tmp_path / "plan.json"
    path.write_text(text)
    with pytest.raises(BadInput, match=r"plan\.json") as caught:
        read_plan(path)
    assert "\n" not in str(caught.value)


def test_the_choice_of_images_hangs_on_seed_and_ids_alone():
    assert chosen([5, 3, 9, 1], 2, 0) == chosen([1, 9, 5, 3], 2, 0)
    assert sorted(set(chosen(range(100), 10, 1))) == chosen(range(100), 10, 1) != chosen(range(100), 10, 2)
    with pytest.raises(BadInput, match="only 3 images"):
        chosen([1, 2, 3], 4, 0)


@pytest.mark.parametrize("text", ["42 7", "[42, 7]", "COCO_val2014_000000000042.jpg\n7\n", '["42", "x_7.png"]', "../a/000000000042.jpg x7"])
def test_ids_are_read_from_lists_and_lines(tmp_path, text):
    (tmp_path / "ids").write_text(text)
    assert read_ids(tmp_path / "ids") == [42, 7]


@pytest.mark.parametrize(
    "text",
    [
        '{"image_id": 42, "caption": "A dog."}\n{"image_id": 7, "caption": "A cat, 9."}\n{"image_id": 42, "caption": "Again."}\n',
        ' [ {"image": "COCO_val2014_000000000042.jpg", "text": "A dog."}, {"image": "7.png", "text": "2 cats."}]',
        '{"sentences": [{"image_id": 42, "caption": ""}, {"image_id": 7, "caption": "1"}]}',
    ],
)
def test_ids_are_those_of_a_caption_log(tmp_path, text):
    (tmp_path / "log.jsonl").write_text(text)
    assert read_ids(tmp_path / "log.jsonl") == [42, 7]


def test_ids_are_those_of_a_folder_of_captions(tmp_path):
    for name in ("000000000042.txt", "x_7.txt"):
        (tmp_path / name).write_text("A dog.")
    assert read_ids(tmp_path) == [42, 7]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "no image id"),
        ("1 1", "twice"),
        ("a", "no image id"),
        ("[1,", "cut off"),
        ("1 nan", "entry 2"),
        ("42,7", "entry 1"),
        ("-7", "entry 1"),
        ("1e5", "entry 1"),
        ("x,7", "entry 1"),
    ],
)
def test_ids_that_cannot_be_used_are_told(tmp_path, text, told):
    (tmp_path / "ids").write_text(text)
    with pytest.raises(BadInput, match=told):
        read_ids(tmp_path / "ids")


def test_scenes_are_drawn_that_are_asked_for_and_no_other(tmp_path):
    (tmp_path / "ids").write_text("299999999 200000005")  # the first of them would be the last of a hundred million
    run = planned(BenchmarkConfig(out=tmp_path / "out", ids=tmp_path / "ids"))
    assert [item.file for item in run.plan.items] == ["test/99999999", "test/5"]


def test_a_split_that_no_file_name_tells_is_refused_unless_it_is_the_default():
    class Named:
        def file_name(self, image_id):
            return f"{image_id:012d}.jpg"

    with pytest.warns(Notice, match=r"^no image's file name holds val2014: images are drawn from all 2\.$"):
        assert pool(Named(), [1, 2], "val2014") == [1, 2]
    with pytest.raises(BadInput, match="--split val2041: no image"):
        pool(Named(), [1, 2], "val2041")


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"subject": "some/model"}, "brings no images"),
        ({"benchmark": "amber"}, "--annotations"),
        ({"benchmark": "pope", "questions": Path("nowhere.json"), "image_folder": Path("/")}, "nowhere"),
        ({"rescore": True}, "nothing to score"),
        ({"plan": Path("nowhere.json")}, "no such file"),
        ({"benchmark": "pope", "prompt": "Say yes."}, "mark their place"),
        ({"ids": Path(__file__).parent / "__init__.py"}, "holds no image id"),
        ({"images": 10_001}, "at most 10,000 of the bundled scenes"),
        ({"methods": ("x" * 5000,)}, "there is no method 'x{40}'; choose from"),
    ],
)
def test_options_that_cannot_be_followed_are_told_before_anything_is_loaded(tmp_path, options, told):
    with pytest.raises(BadInput, match=told):
        planned(BenchmarkConfig(**({"images": 3} | options if "ids" not in options else options), out=tmp_path))


@pytest.mark.parametrize(
    "options",
    [
        {"benchmark": "vqa"},
        {"images": 0},
        {"seed": -1},
        {"level": 1.0},
        {"address": "x"},
        {"prompt": " "},
        {"temperature": float("inf")},
        {"device": "gpu"},
        {"parser": "llava"},
    ],
)
def test_options_that_break_their_law_are_told(options):
    with pytest.raises(BadInput, match=f"BenchmarkConfig.{next(iter(options))}"):
        BenchmarkConfig(**options)
