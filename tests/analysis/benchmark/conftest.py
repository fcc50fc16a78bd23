"""Small benchmarks in the formats of their owners, made of bundled scenes."""

import base64
import io
import json
import shutil
from pathlib import Path

import pytest

from analysis.datasets.emoji import write_coco
from analysis.datasets.pope import poll, write_pope
from probes.subjects.emoji import scene

AMBER = Path(__file__).parents[2] / "data" / "amber"


@pytest.fixture(scope="session")
def coco(tmp_path_factory):
    """COCO's files: annotations and images of six scenes."""
    return write_coco(tmp_path_factory.mktemp("coco"), 6)


@pytest.fixture(scope="session")
def pope(tmp_path_factory, coco):
    """POPE's three question files about three of these images."""
    content = json.loads((coco.annotations / "instances_val2014.json").read_text())
    names = {one["id"]: one["name"] for one in content["categories"]}
    objects: dict[int, list[str]] = {}
    for one in content["annotations"]:
        objects.setdefault(one["image_id"], []).append(names[one["category_id"]])
    files = {one["id"]: one["file_name"] for one in content["images"]}
    folder = tmp_path_factory.mktemp("pope")
    write_pope(folder, poll(objects, {i: files[i] for i in coco.ids[:3]}, per_image=1))
    return folder


@pytest.fixture(scope="session")
def amber(tmp_path_factory):
    """AMBER's data with queries of two images, and their images."""
    folder = tmp_path_factory.mktemp("amber")
    for name in ("annotations.json", "relation.json", "safe_words.txt"):
        shutil.copy(AMBER / name, folder / name)
    (folder / "query").mkdir()
    queries = [{"id": i, "image": f"AMBER_{i}.jpg", "query": "Describe this image."} for i in (1, 2)]
    queries += [{"id": i, "image": f"AMBER_{1 + i % 2}.jpg", "query": "Is the sky sunny in this image?"} for i in (1005, 1006, 8633, 13557)]
    (folder / "query" / "query_all.json").write_text(json.dumps(queries))
    (folder / "image").mkdir()
    for i in (1, 2):
        scene(i).image.save(folder / "image" / f"AMBER_{i}.jpg")
    return folder


@pytest.fixture(scope="session")
def halbench(tmp_path_factory, coco):
    """Object HalBench's jsonl with three images inside."""
    path = tmp_path_factory.mktemp("halbench") / "obj_halbench_300_with_image.jsonl"
    lines = []
    for i, image_id in enumerate(coco.ids[:3]):
        held = io.BytesIO()
        scene(i).image.save(held, format="PNG")
        asked = ("Describe the image.", "What do you see? Be thorough.")[i % 2]
        lines.append({"image_id": image_id, "question": asked, "image": base64.b64encode(held.getvalue()).decode()})
    path.write_text("\n".join(map(json.dumps, lines)) + "\n")
    return path
