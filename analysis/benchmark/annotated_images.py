"""The annotated images that are captioned: COCO's, or the bundled scenes; and the choice among them."""

import json
import random
import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.benchmark.config import BenchmarkConfig
from analysis.benchmark.images import Folder, Scenes, Source
from analysis.benchmark.names import SPLIT
from probes.command.cli import BadInput, Notice
from probes.command.values import given_text

IMAGES = 500
"""The number that the field describes of COCO's validation images."""
MOST_SCENES = 10_000
"""Bundled scenes of one run: they are drawn when it begins, and held."""


@dataclass(frozen=True)
class AnnotatedImages:
    """A set of annotated images.

    Attributes
    ----------
    coco : annotations, as `analysis.datasets.coco.Coco` has them
    source : of the images
    ids : chosen, in the order in which they are asked
    """

    coco: Any
    source: Source
    ids: tuple[int, ...]

    def file(self, image_id: int) -> str:
        """The image's name, as the source knows it."""
        if isinstance(self.source, Scenes):
            from probes.subjects.emoji.scenes import IDENTIFIERS

            return f"test/{image_id % IDENTIFIERS}"
        return self.coco.file_name(image_id)


def bundled(config: BenchmarkConfig) -> bool:
    """Whether the images are the bundled scenes."""
    if config.annotations is None and config.subject != "emoji":
        raise BadInput(
            f"--subject {config.subject} brings no images to a benchmark, as emoji alone does: give --annotations and --image-folder."
        )
    return config.annotations is None


def annotated(config: BenchmarkConfig, among: Sequence[int] | None = None) -> AnnotatedImages:
    """The annotations, and the images that the options choose.

    Parameters
    ----------
    among : ids of a plan, which then are the choice

    Raises
    ------
    BadInput : a folder or file is missing, an id is unknown, or more images are asked for than there are
    """
    named = list(among) if among is not None else None if config.ids is None else read_ids(config.ids)
    if bundled(config):
        return _scenes(config, named)
    if config.image_folder is None and not config.rescore:
        raise BadInput(f"--annotations {config.annotations}: give the folder of their images too, by --image-folder.")
    coco = annotations_of(config)
    source = Scenes() if config.image_folder is None else Folder(config.image_folder)
    known = sorted(coco.ids())
    if named is not None:
        missing = sorted(set(named) - set(known))
        if missing:
            where = config.ids or "the plan"
            raise BadInput(f"{where}: {len(missing)} ids are not in {config.annotations}, the first is {missing[0]}; remove them.")
        return AnnotatedImages(coco, source, tuple(named))
    return AnnotatedImages(coco, source, tuple(chosen(pool(coco, known, config.split), config.images or IMAGES, config.seed)))


def annotations_of(config: BenchmarkConfig) -> Any:
    """COCO's annotations.

    Raises
    ------
    BadInput : their folder was not given, or cannot be used
    """
    from analysis.datasets.coco import open_coco

    if config.annotations is None:
        raise BadInput(f"--benchmark {config.benchmark}: give the folder of COCO's annotations by --annotations.")
    return open_coco(config.annotations, cache=config.cache)


def pool(coco: Any, known: Sequence[int], split: str) -> list[int]:
    """The ids whose file name holds the name of the split; all of them where no name tells COCO's split, which is the default.

    Raises
    ------
    BadInput : another split was asked for, and no name holds it
    """
    found = [image_id for image_id in known if split in coco.file_name(image_id)]
    if not found and split != SPLIT:
        raise BadInput(f"--split {split}: no image's file name holds this word; leave it out to choose from all images.")
    if not found:
        warnings.warn(f"no image's file name holds {SPLIT}: images are drawn from all {len(known)}.", Notice, stacklevel=2)
    return found or list(known)


def chosen(ids: Sequence[int], count: int, seed: int) -> list[int]:
    """`count` of the sorted ids, drawn without replacement, sorted: the same on every machine."""
    if count > len(ids):
        raise BadInput(f"--images {count}: there are only {len(ids)} images to choose from; ask for fewer.")
    return sorted(random.Random(f"images {seed}").sample(sorted(ids), count))


def read_ids(path: Path) -> list[int]:
    """Image ids of a file, in its order: numbers or names of COCO's image files, one a line or as a JSON list; or those of a caption log.

    Raises
    ------
    BadInput : no such file, something that is no id, or an id twice
    """
    if path.is_dir():
        return _captioned(path)
    try:
        text = given_text(path, "utf-8-sig")
    except FileNotFoundError:
        raise BadInput(f"{path}: there is no such file; check the path.") from None
    except UnicodeDecodeError as error:
        raise BadInput(f"{path}: no UTF-8 (byte {error.start}); save the file as UTF-8.") from None
    if re.match(r"\s*(?:\[\s*)?\{", text):
        return _captioned(path)
    if text.lstrip().startswith("["):
        try:
            words = [str(one) for one in json.loads(text)]
        except ValueError:
            raise BadInput(f"{path}: begins as a JSON list and is none; the file may be cut off.") from None
    else:
        words = text.split()
    found: dict[int, None] = {}
    for number, word in enumerate(words, 1):
        # a name begins with no number or sign: of "42,7" or "-7" the 7 alone would be another choice of images
        digits = re.fullmatch(r"(?:[^\d,;+-](?:[^,;]*[^\d,;])?)?(\d{1,18})(?:\.[A-Za-z]\w{0,4})?", word, re.ASCII)
        if digits is None:
            raise BadInput(
                f"{path}, entry {number}: {word[:60]!r} is no image id; write numbers, or names that end in one, with blanks between."
            )
        if int(digits[1]) in found:
            raise BadInput(f"{path}, entry {number}: image {int(digits[1])} is there twice; remove one.")
        found[int(digits[1])] = None
    if not found:
        raise BadInput(f"{path}: holds no image id.")
    return list(found)


def _captioned(path: Path) -> list[int]:
    """The images that a caption log is of, each once, in its order."""
    from analysis.score.logs import read_log

    return list(dict.fromkeys(answer.image_id for answer in read_log(path)))


def _scenes(config: BenchmarkConfig, named: list[int] | None) -> AnnotatedImages:
    from analysis.datasets.emoji import emoji_coco
    from probes.subjects.emoji.scenes import IDENTIFIERS, SPLITS, scene

    first = SPLITS["test"] * IDENTIFIERS
    if (config.images or 0) > MOST_SCENES:
        raise BadInput(f"--images {config.images}: one run holds at most {MOST_SCENES:,} of the bundled scenes; ask for fewer.")
    if named is None:
        named = [first + i for i in range(config.images or IMAGES)]
    if wrong := [image_id for image_id in named if not first <= image_id < first + IDENTIFIERS]:
        raise BadInput(f"image {wrong[0]} is no unseen scene of the bundled subject; their ids begin at {first}.")
    held = emoji_coco([scene(image_id - first) for image_id in named])
    drawn = {f"test/{image_id % IDENTIFIERS}": held.image(image_id) for image_id in named}
    return AnnotatedImages(held, Scenes(drawn), tuple(named))
