"""Questions that a benchmark brings in a file: their wording, their images, and which of them are chosen."""

from collections.abc import Sequence
from typing import Any

from analysis.benchmark.annotated import chosen, read_ids
from analysis.benchmark.config import BenchmarkConfig
from analysis.benchmark.images import Folder
from analysis.benchmark.names import QUESTION
from probes.command.cli import BadInput


def worded(template: str | None, question: str) -> str:
    """The question, in the place that the template has for it.

    Raises
    ------
    BadInput : the template has none
    """
    if template is None:
        return question
    if QUESTION not in template:
        raise BadInput(f"--prompt {template[:60]!r}: this benchmark asks questions of its own; mark their place by {QUESTION}.")
    return template.replace(QUESTION, question)


def folder(config: BenchmarkConfig) -> Folder:
    """The folder of the images that the questions name.

    Raises
    ------
    BadInput : none was given
    """
    if config.image_folder is None:
        raise BadInput(f"--benchmark {config.benchmark}: give the folder of its images by --image-folder.")
    return Folder(config.image_folder)


def of_images(found: Sequence[Any], config: BenchmarkConfig, among: Sequence[int] | None) -> list[Any]:
    """The questions (with an `image_id`) about the images that are chosen; all of them where nothing chooses.

    Raises
    ------
    BadInput : an image is chosen that is not asked about
    """
    there = {one.image_id for one in found}
    named = among if among is not None else None if config.ids is None else read_ids(config.ids)
    if named is None:
        named = there if config.images is None else chosen(sorted(there), config.images, config.seed)
    elif missing := sorted(set(named) - there):
        raise BadInput(f"{config.ids or 'the plan'}: the benchmark asks nothing about {len(missing)} images, the first is {missing[0]}.")
    wanted = set(named)
    return [one for one in found if one.image_id in wanted]
