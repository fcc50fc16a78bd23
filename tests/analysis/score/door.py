"""What the tests of the door share: small files in the owners' formats, and the command run in this process."""

import json
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from analysis.score.__main__ import ScoreConfig, main
from probes.command.cli import Notice, run_cli

CATEGORIES = {1: "person", 3: "car", 17: "cat", 18: "dog", 15: "bench", 7: "train", 44: "bottle", 67: "dining table"}
INSTANCES = {1: (18, 17, 1), 2: (7,), 3: (15, 18, 1), 4: (), 5: (67, 44, 1, 62), 6: (3, 1, 18), 7: (17,), 8: (1, 3, 15)}
WRITTEN = {1: "A man with his dog.", 2: "A train at a station.", 3: "Two dogs beside a bench.", 5: "A woman sits on a chair at a table."}
CAPTIONS = {
    1: "A dog and a cat sit near a car. A man watches.",
    2: "A train. There is a person.",
    3: "A dog.",
    4: "An empty field.",
    5: "A table with a bottle and a cup; a woman sits on a chair.",
    6: "A car and a person and a dog.",
    7: "",
    8: "Two men on a bench, with a dog and a cat.",
}


@dataclass(frozen=True)
class Ended:
    """How a command ended and what it said."""

    status: int
    out: str
    err: str

    @property
    def notices(self) -> list[str]:
        """The lines on stderr."""
        return self.err.splitlines()


def write_lines(path: Path, objects: Iterable[Mapping[str, Any]]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(item) + "\n" for item in objects))
    return path


def write_captions(path: Path, captions: Mapping[int, str] = CAPTIONS) -> Path:
    return write_lines(path, ({"image_id": image_id, "caption": text} for image_id, text in captions.items()))


def write_coco(folder: Path) -> Path:
    """COCO's two kinds of files, with an image of no object, one of no caption, a crowd, and fields that no one reads."""
    names = CATEGORIES | {62: "chair"}
    images = [{"id": i, "file_name": f"COCO_val2014_{i:012d}.jpg", "height": 480, "width": 640, "license": 1} for i in INSTANCES]
    items = [(image_id, category) for image_id, found in INSTANCES.items() for category in found]
    shape = {"area": 9.5, "bbox": [1, 2, 3.5, 4], "segmentation": [[1, 2, 3, 4, 5, 6]]}
    annotations = [{"id": n, "image_id": i, "category_id": c, "iscrowd": int(n == 3)} | shape for n, (i, c) in enumerate(items)]
    categories = [{"id": i, "name": name, "supercategory": "thing"} for i, name in names.items()]
    written = [{"id": n, "image_id": i, "caption": text} for n, (i, text) in enumerate(WRITTEN.items())]
    folder.mkdir(parents=True, exist_ok=True)
    info = {"info": {"year": 2014}, "licenses": [], "images": images}
    (folder / "instances_val2014.json").write_text(json.dumps(info | {"annotations": annotations, "categories": categories}))
    (folder / "captions_val2014.json").write_text(json.dumps(info | {"annotations": written}))
    return folder


def score(capsys: pytest.CaptureFixture[str], *argv: object) -> Ended:
    """Run the command in this process, as a user would."""
    capsys.readouterr()
    words = [str(word) for word in argv]
    with warnings.catch_warnings():
        warnings.simplefilter("always", Notice)  # a user has no filter that makes errors of them
        with pytest.raises(SystemExit) as ended:
            run_cli(ScoreConfig, main, words)
    told = capsys.readouterr()
    return Ended(int(ended.value.code or 0), told.out, told.err)


def refused(capsys: pytest.CaptureFixture[str], *argv: object) -> str:
    """The one line that a command says when it cannot use what it was given."""
    ended = score(capsys, *argv)
    assert ended.status == 2, ended
    assert ended.out == ""
    lines = ended.err.splitlines()
    assert len(lines) == 1, lines
    assert len(lines[0]) < 500
    return lines[0]


def strictly(path: Path) -> dict[str, Any]:
    """A results file, refused if it holds NaN or Infinity."""

    def never(name: str):
        raise AssertionError(f"{path} holds {name}")

    return json.loads(path.read_text(), parse_constant=never)
