"""A synthetic COCO 2014 of any size, written row by row: the real schema, and as many images, captions and instances as the real one.

What is annotated is drawn from a seed and shows nothing; it is there to measure what reading costs (`python -m analysis.score_cost`).
"""

import json
import random
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, TextIO

from analysis.words.words import synonyms
from probes.command.cli import BadInput

PLACES = ("on a street", "in a kitchen", "near a window", "in a field of green grass", "at the beach", "under a blue sky", "next to a wall")
LOOKS = ("large", "small", "red", "old", "wooden", "black and white", "colorful", "parked")
ACTIONS = ("standing", "sitting", "lying", "seen", "placed", "left")
SENTENCES = (
    "A {look} {a} {action} {place} with a {b}.",
    "Two {aa} and a {look} {b} {action} {place}.",
    "There is a {a} {action} beside the {look} {b} {place}.",
    "A person {action} {place} next to some {aa}.",
)


@dataclass(frozen=True)
class CocoSize:
    """How much is written; the defaults are those of COCO 2014.

    Attributes
    ----------
    images : by part, how many
    instances : by part, annotated objects, each with a polygon
    captions : by part, captions of people
    """

    images: tuple[tuple[str, int], ...] = (("train", 82_783), ("val", 40_504))
    instances: tuple[tuple[str, int], ...] = (("train", 604_907), ("val", 291_875))
    captions: tuple[tuple[str, int], ...] = (("train", 414_113), ("val", 202_654))

    def __post_init__(self):
        for name in ("images", "instances", "captions"):
            if any(count < 1 for _, count in getattr(self, name)):
                raise BadInput(f"CocoSize.{name} must be at least 1 in each part; got {getattr(self, name)}.")

    @classmethod
    def scaled(cls, share: float) -> "CocoSize":
        """COCO 2014 at a share of its size."""
        full = cls()
        parts = ((name, getattr(full, name)) for name in ("images", "instances", "captions"))
        return cls(**{name: tuple((part, max(1, round(count * share))) for part, count in counts) for name, counts in parts})


def write_synthetic_coco(folder: str | Path, size: CocoSize | None = None, seed: int = 0) -> Path:
    """Write instances and captions of both parts into a folder; return it. The same seed and size give the same bytes."""
    size, folder = size or CocoSize(), Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    first = 1
    for (part, images), (_, instances), (_, captions) in zip(size.images, size.instances, size.captions, strict=True):
        ids = range(first, first + 5 * images, 5)
        generator = random.Random(f"{seed}/{part}")
        listed = [{"file_name": f"COCO_{part}2014_{i:012d}.jpg", "height": 480, "width": 640, "id": i, "license": 3} for i in ids]
        _write(folder / f"instances_{part}2014.json", listed, _instances(ids, instances, generator), categories=_categories())
        _write(folder / f"captions_{part}2014.json", listed, _captions(ids, captions, generator))
        first = ids.stop + 1
    return folder


def synthetic_captions(ids: list[int], count: int, seed: int = 0) -> Iterator[dict[str, Any]]:
    """Captions as a model would say them, of about a hundred words, for images drawn from `ids`; one image one caption while they last."""
    generator = random.Random(f"{seed}/said")
    chosen = generator.sample(ids, min(count, len(ids)))
    for number in range(count):
        text = " ".join(_sentence(generator) for _ in range(9))
        yield {"image_id": chosen[number % len(chosen)], "caption": text}


@cache
def _names() -> tuple[str, ...]:
    # COCO's eighty, as the synonym table has them: the bundled subject's module would load torch, and memory is measured here
    return tuple(dict.fromkeys(synonyms().values()))


def _categories() -> list[dict[str, Any]]:
    return [{"supercategory": "thing", "id": number, "name": name} for number, name in enumerate(_names(), 1)]


def _instances(ids: range, count: int, generator: random.Random) -> Iterator[str]:
    for number in range(count):
        x, y = generator.random() * 500, generator.random() * 400
        # some five pairs of corners a polygon short, some fifty a long one: about twenty-five pairs, as annotators draw
        corners = [f"{(x, y)[k % 2] + generator.random() * 90:.2f}" for k in range(2 * generator.randint(5, 45))]
        image_id, category = ids[_spread(number, count, len(ids), generator)], 1 + int(80 * generator.random() ** 2)
        yield (
            f'{{"segmentation": [[{", ".join(corners)}]], "area": {generator.random() * 9e4:.4f}, "iscrowd": 0, "image_id": {image_id}, '
            f'"bbox": [{x:.2f}, {y:.2f}, {generator.random() * 90:.2f}, {generator.random() * 90:.2f}], '
            f'"category_id": {category}, "id": {number + 1}}}'
        )


def _captions(ids: range, count: int, generator: random.Random) -> Iterator[str]:
    for number in range(count):
        row = {"image_id": ids[number * len(ids) // count], "id": number + 1, "caption": _sentence(generator)}
        yield json.dumps(row)


def _spread(number: int, count: int, images: int, generator: random.Random) -> int:
    # annotations of an image lie scattered in the real files too
    return generator.randrange(images) if number % 3 else number * images // count


def _sentence(generator: random.Random) -> str:
    a, b = generator.choice(_names()), generator.choice(_names())
    words = {"a": a, "b": b, "aa": f"{a}s", "look": generator.choice(LOOKS), "action": generator.choice(ACTIONS)}
    return generator.choice(SENTENCES).format(**words, place=generator.choice(PLACES))


def _write(path: Path, images: list[dict], rows: Iterator[str], **more: Any) -> None:
    with path.open("w", encoding="utf-8") as file:
        file.write(f'{{"info": {{"description": "synthetic"}}, "images": {json.dumps(images)}, "licenses": [], "annotations": [')
        _joined(file, rows)
        file.write("]" + "".join(f', "{name}": {json.dumps(value)}' for name, value in more.items()) + "}")


def _joined(file: TextIO, rows: Iterator[str]) -> None:
    for number, row in enumerate(rows):
        file.write((", " if number else "") + row)
