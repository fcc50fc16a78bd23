"""COCO's files against json.load and loops; every file that cannot be used is one line that says where."""

import json
import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from analysis.datasets.coco import default_cache, open_coco
from analysis.datasets.emoji import emoji_coco, write_coco
from analysis.datasets.files import inside
from analysis.metrics.chair import ground_truth
from analysis.words.readers import Bundled
from probes.command.cli import BadInput, Notice

CATEGORIES = [{"id": 1, "name": "person"}, {"id": 18, "name": "dog"}, {"id": 62, "name": "chair"}, {"id": 90, "name": "toothbrush"}]
POLYGON = {"segmentation": [[1.5, 2, 3, 4, 5, 6]], "bbox": [0, 0, 1, 1], "area": 1.0, "iscrowd": 0}
RUN_LENGTHS = {"segmentation": {"counts": [1, 2], "size": [4, 4], "image_id": 99}, "iscrowd": 1}


def image(number: int, name: str | None = None) -> dict:
    return {"id": number, "file_name": name or f"COCO_val2014_{number:012d}.jpg", "license": 1}


def thing(number: int, category: int, shape: dict = POLYGON) -> dict:
    return {**shape, "image_id": number, "category_id": category, "id": 7}


def said(number: int, text: str) -> dict:
    return {"image_id": number, "id": 3, "caption": text}


def write(folder: Path, name: str, content: dict | bytes) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return path


def instances(images: list, annotations: list, categories: list | None = None) -> dict:
    return {
        "info": {"year": 2014},
        "images": images,
        "licenses": [{"id": 1}],
        "annotations": annotations,
        "categories": categories or CATEGORIES,
    }


def opened(folder: Path, captions: bool = True):
    if captions and not list(folder.glob("captions_*")):
        write(folder, "captions_val2014.json", {"images": [], "annotations": []})
    return open_coco(folder, cache=folder / "cache", progress=False)


NUMBERS = st.integers(0, 6)
THINGS = st.builds(thing, NUMBERS, st.sampled_from([1, 18, 62, 90]), st.sampled_from([POLYGON, RUN_LENGTHS, {}]))
TEXTS = st.sampled_from(
    ("A man walks two dogs.", "", "Ein Stühlchen – \u200b\U0001f415 dog", "a toothbrush, a toothbrush\n", "nothing here")
)
SAID = st.builds(said, NUMBERS, TEXTS)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(st.lists(NUMBERS.map(image), max_size=6), st.lists(THINGS, max_size=8), st.lists(THINGS, max_size=4), st.lists(SAID, max_size=8))
def test_what_is_read_is_what_json_and_loops_give(tmp_path_factory, images, first, second, people):
    folder = tmp_path_factory.mktemp("coco")
    write(folder, "instances_train2014.json", instances(images, first))
    write(folder, "instances_val2014.json", instances(images, second))
    write(folder, "captions_train2014.json", {"images": images, "annotations": people})
    write(folder, "captions_val2014.json", {"images": [], "annotations": []})
    coco = opened(folder)

    known = sorted({row["id"] for row in images} | {row["image_id"] for row in first + second + people})
    assert coco.ids() == known
    names = {row["id"]: row["name"] for row in CATEGORIES}
    for number in known:
        expected: list[str] = []
        for row in first + second:
            if row["image_id"] == number and names[row["category_id"]] not in expected:
                expected.append(names[row["category_id"]])
        assert coco.instances([number]) == {number: tuple(expected)}
        assert coco.captions([number]) == {number: tuple(row["caption"] for row in people if row["image_id"] == number)}
    reference = ground_truth(instances(images, first + second), [(row["image_id"], row["caption"]) for row in people])
    asked = [*known, 1000, *known]
    assert coco.truth(asked, Bundled()) == reference | {number: frozenset() for number in known if number not in reference}
    assert coco.truth(asked, Bundled()) == coco.truth(known, Bundled()), "what is kept is what was read"


def test_the_scenes_written_as_coco_are_read_as_they_are(tmp_path):
    folder, held = write_coco(tmp_path, 8), emoji_coco(8)
    for place in (tmp_path, folder.annotations):
        coco = open_coco(place, cache=tmp_path / "cache")
        assert coco.ids() == held.ids()
        assert coco.truth(coco.ids(), Bundled()) == held.truth(held.ids(), Bundled())
        assert coco.captions(coco.ids()) == held.captions(held.ids())
        assert coco.instances(coco.ids()) == held.instances(held.ids())
        assert all(inside(folder.images, coco.file_name(i)).is_file() for i in coco.ids())


def test_files_of_2014_count_alone_and_else_all_of_the_kind(tmp_path):
    write(tmp_path, "instances_val2017.json", instances([image(1, "000000000001.jpg")], [thing(1, 18)]))
    write(tmp_path, "captions_val2014.json", {"images": [image(1)], "annotations": [said(1, "a man")]})
    mixed = open_coco(tmp_path, cache=tmp_path / "cache")
    assert mixed.truth([1], Bundled()) == {1: frozenset(("dog", "person"))}, "instances of 2017 beside captions of 2014"
    assert mixed.file_name(1) == "000000000001.jpg", "the instances name the file"
    write(tmp_path, "instances_val2014.json", instances([image(1)], [thing(1, 62)]))
    assert open_coco(tmp_path, cache=tmp_path / "cache").truth([1], Bundled()) == {1: frozenset(("chair", "person"))}


def test_instances_alone_are_told(tmp_path):
    write(tmp_path, "instances_val2014.json", instances([image(1)], [thing(1, 18)]))
    with pytest.warns(Notice, match="no captions_"):
        coco = opened(tmp_path, captions=False)
    assert coco.truth([1], Bundled()) == {1: frozenset(("dog",))}


@pytest.mark.parametrize(("here", "missing"), [("instances", "captions_train2014"), ("captions", "instances_train2014")])
def test_half_of_the_annotations_of_an_image_is_told(tmp_path, here, missing):
    write(tmp_path, "instances_val2014.json", instances([image(1)], [thing(1, 18)]))
    write(tmp_path, "captions_val2014.json", {"images": [], "annotations": []})
    opened(tmp_path)  # warnings are errors here
    write(tmp_path, f"{here}_train2014.json", instances([], []))
    with pytest.warns(Notice, match=f"{here}_train2014.json: no {missing}.json of these images beside it"):
        opened(tmp_path)


def test_a_link_that_leads_nowhere_is_told(tmp_path):
    write(tmp_path, "instances_val2014.json", instances([image(1)], [thing(1, 18)]))
    (tmp_path / "captions_val2014.json").symlink_to("elsewhere.json")
    with pytest.raises(BadInput, match=r"captions_val2014.json: there is no such file"):
        opened(tmp_path)


def test_an_id_that_no_file_can_hold_is_unknown(tmp_path):
    write(tmp_path, "instances_val2014.json", instances([image(1)], [thing(1, 18)]))
    coco = opened(tmp_path)
    assert coco.instances([1, 1 << 63, 10**30]) == {1: ("dog",)}
    with pytest.raises(BadInput, match="not in these annotations"):
        coco.file_name(10**30)


def test_duplicates_that_agree_are_taken_and_others_refused(tmp_path):
    write(tmp_path, "instances_train2014.json", instances([image(1), image(1)], [thing(1, 18), thing(1, 18)]))
    path = write(tmp_path, "instances_val2014.json", instances([image(1)], [thing(1, 62)]))
    write(tmp_path, "captions_train2014.json", {"images": [], "annotations": []})
    write(tmp_path, "captions_val2014.json", {"images": [], "annotations": []})
    assert opened(tmp_path).instances([1]) == {1: ("dog", "chair")}
    path.write_text(json.dumps(instances([image(1, "other.jpg")], [])))
    with pytest.raises(BadInput, match=r"instances_val2014.json, images\[0\]: the image 1 is 'other.jpg' here and 'COCO_val"):
        opened(tmp_path)
    path.write_text(json.dumps(instances([], [], [{"id": 1, "name": "dog"}])))
    with pytest.raises(BadInput, match=r"categories\[0\]: category 1 is 'dog' here and 'person' before"):
        opened(tmp_path)


def test_a_category_of_no_synonym_is_fine_until_chair_needs_it(tmp_path):
    write(
        tmp_path, "instances_a.json", instances([image(1), image(2)], [thing(1, 5), thing(2, 18)], [*CATEGORIES, {"id": 5, "name": "lamp"}])
    )
    coco = opened(tmp_path)
    assert coco.instances([1]) == {1: ("lamp",)}
    assert coco.truth([2], Bundled()) == {2: frozenset(("dog",))}
    with pytest.raises(BadInput, match="'lamp' is none of COCO's 80 objects"):
        coco.truth([1], Bundled())


def test_a_file_name_that_leads_out_is_refused_where_it_is_used(tmp_path):
    write(tmp_path, "instances_val2014.json", instances([image(1, "../../etc/passwd"), image(2)], [thing(3, 18)]))
    coco = opened(tmp_path)
    with pytest.raises(BadInput, match="leads out of this folder"):
        inside(tmp_path, coco.file_name(1))
    for number, why in ((3, "listed in no file"), (4, "not in these annotations"), (2**70, "cannot|not in")):
        with pytest.raises(BadInput, match=why):
            coco.file_name(number)


GOOD = json.dumps(instances([image(1)], [thing(1, 18)])).encode()
HOSTILE = {
    "empty": (b"", "cut off|no valid JSON"),
    "cut off": (GOOD[:-40], r"cut off; fetch it again \(after 1 images, 1 annotations"),
    "cut inside a row": (GOOD[: GOOD.index(b"category_id")], "cut off"),
    "text behind": (GOOD + b"}", "no valid JSON"),
    "no JSON": (b"<html>404</html>", "no valid JSON"),
    "no UTF-8": (GOOD.replace(b"COCO_", b"\xff\xfe"), "no UTF-8"),
    "a letter cut in two where the mistake is cited": (GOOD[:-1] + f', "x": "{33 * "é"}" nope}}'.encode(), "no valid JSON: lexical error"),
    "NaN": (GOOD.replace(b'"image_id": 1', b'"image_id": NaN'), "no valid JSON"),
    "huge number": (GOOD.replace(b'"image_id": 1', b'"image_id": ' + b"9" * 40), "no valid JSON|whole number"),
    "half an id": (GOOD.replace(b'"image_id": 1', b'"image_id": 1.5'), r"annotations\[0\]: 'image_id' must be a whole number"),
    "id is a text": (GOOD.replace(b'"image_id": 1', b'"image_id": "one"'), r"annotations\[0\]: 'image_id'"),
    "id is a list": (GOOD.replace(b'"image_id": 1', b'"image_id": [1]'), r"annotations\[0\]: 'image_id'.*missing"),
    "id is true": (GOOD.replace(b'"image_id": 1', b'"image_id": true'), r"annotations\[0\]: 'image_id'"),
    "negative id": (GOOD.replace(b'"id": 1,', b'"id": -1,'), r"images\[0\]: 'id'"),
    "unknown category": (GOOD.replace(b'"category_id": 18', b'"category_id": 19'), r"annotations\[0\]: category 19 is none"),
    "no name": (GOOD.replace(b'"file_name"', b'"name"'), r"images\[0\]: 'file_name' must be a text; it is missing"),
    "a list": (b"[1, 2]", "a JSON object is needed"),
    "a number": (b"3", "a JSON object is needed"),
    "no annotations": (b'{"images": [], "categories": []}', "no list 'annotations'"),
    "no categories": (b'{"images": [], "annotations": []}', "no list 'categories'"),
    "annotations are null": (b'{"images": [], "annotations": null, "categories": []}', "'annotations' must be a list of objects"),
    "annotations are an object": (b'{"images": [], "annotations": {"a": 1}}', "'annotations' must be a list of objects"),
    "rows are numbers": (b'{"images": [1]}', "'images' must be a list of objects"),
    "rows are lists": (b'{"images": [[1]]}', "'images' must be a list of objects"),
    "a list twice": (GOOD[:-1] + b', "images": []}', "'images' stands there twice"),
    "a field twice": (b'{"images": [{"id": 1, "file_name": "1.jpg", "id": 2}]}', "a row of 'images' names 'id' twice"),
    "a huge id": (
        b'{"images": [{"id": 1' + b"0" * 18 + b', "file_name": "1.jpg"}]}',
        "'id' must be a whole number from 0 on of at most 18",
    ),
    "compressed": (b"\x1f\x8b\x08\x00", "this file is compressed"),
    "deep": (b"[" * 1_000_000, "a JSON object is needed|no valid JSON"),
    "deep inside": (b'{"images": [{"id":' + b"[" * 1_000_000, "nested more than 100 deep"),
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_file_that_cannot_be_used_is_one_line_and_leaves_nothing(tmp_path, case):
    content, line = HOSTILE[case]
    write(tmp_path, "instances_val2014.json", content)
    with pytest.raises(BadInput, match=line) as caught:
        opened(tmp_path)
    assert "instances_val2014.json" in str(caught.value)
    assert "\n" not in str(caught.value)
    assert list((tmp_path / "cache").iterdir()) == [], "neither a cache nor a piece of one"


def test_captions_are_judged_too(tmp_path):
    write(tmp_path, "instances_val2014.json", GOOD)
    write(tmp_path, "captions_val2014.json", {"images": [], "annotations": [said(1, "a dog"), said(1, "a" * 10_000_000)]})
    with pytest.raises(BadInput, match=r"captions_val2014.json, annotations\[1\]: 'caption' has 10,000,000 characters"):
        opened(tmp_path)
    write(tmp_path, "captions_val2014.json", {"images": [], "annotations": [{"image_id": 1, "caption": None}]})
    with pytest.raises(BadInput, match=r"annotations\[0\]: 'caption' must be a text"):
        opened(tmp_path)


def test_a_byte_order_mark_is_passed_over(tmp_path):
    write(tmp_path, "instances_val2014.json", b"\xef\xbb\xbf" + GOOD)
    assert opened(tmp_path).ids() == [1]


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda path: None, "there is no such folder"),
        (lambda path: path.write_text("x"), "this is a file, give the folder"),
        (lambda path: path.mkdir(), "no instances_"),
        (lambda path: [(path / f"{kind}_val2014.json").mkdir(parents=True) for kind in ("instances", "captions")], "this is a folder"),
    ],
    ids=["missing", "file", "empty", "folder for a file"],
)
def test_a_place_without_annotations_is_told(tmp_path, make, line):
    make(tmp_path / "there")
    with pytest.raises(BadInput, match=line):
        open_coco(tmp_path / "there", cache=tmp_path / "cache")


def test_the_cache_lies_where_the_system_says(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert default_cache() == tmp_path / "kvsmooth"
    for unset in ("", os.path.join("not", "absolute")):
        monkeypatch.setenv("XDG_CACHE_HOME", unset)
        assert default_cache() == Path.home() / ".cache" / "kvsmooth"

    def nobody():
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nobody)
    with pytest.raises(BadInput, match=r"name a folder by --cache"):
        default_cache()
