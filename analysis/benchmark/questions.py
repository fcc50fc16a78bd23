"""What --prompt does to the questions of a benchmark and to its requests for a description; which images of a file are chosen."""

from collections.abc import Callable, Collection, Sequence
from typing import Any

from analysis.benchmark.annotated_images import chosen, read_ids
from analysis.benchmark.config import BenchmarkConfig
from analysis.benchmark.images import Folder
from analysis.benchmark.names import QUESTION
from probes.command.cli import BadInput


def words_questions(prompt: str | None) -> bool:
    """Whether a prompt has a place for a question; one without asks for a description in words of its own."""
    return prompt is not None and QUESTION in prompt


def worded(template: str | None, question: str) -> str:
    """The question, in the place that the template has for it.

    Raises
    ------
    BadInput : the template has none
    """
    if template is None:
        return question
    if not words_questions(template):
        raise BadInput(f"--prompt {template[:60]!r}: this benchmark asks questions of its own; mark their place by {QUESTION}.")
    return template.replace(QUESTION, question)


def described(prompt: str | None, request: str) -> str:
    """What asks for a description: the prompt, or the benchmark's own request where there is none.

    Raises
    ------
    BadInput : the prompt has a place for a question, and none is asked
    """
    if words_questions(prompt):
        raise BadInput(f"--prompt {prompt[:60]!r}: descriptions are asked for here, and no question to put into {QUESTION}; leave it out.")
    return prompt or request


def mixed(prompt: str | None, questions: Collection[bool]) -> Callable[[str, bool], str]:
    """How a query is worded, by its text and by whether it is a question, where a benchmark asks both kinds.

    A prompt with a place for a question is meant for the questions, one without for the descriptions; the other kind stays as it is.

    Parameters
    ----------
    questions : of each query, whether it is a question

    Raises
    ------
    BadInput : there is no query of the kind that the prompt is meant for
    """
    kind = words_questions(prompt)
    wording = worded if kind else described
    if prompt is not None and kind not in questions:
        (described if kind else worded)(prompt, "")  # says why not
    return lambda text, question: wording(prompt, text) if question == kind else text


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
    named: Collection[int] | None = among if among is not None else None if config.ids is None else read_ids(config.ids)
    if named is None:
        named = there if config.images is None else chosen(sorted(there), config.images, config.seed)
    elif missing := sorted(set(named) - there):
        raise BadInput(f"{config.ids or 'the plan'}: the benchmark asks nothing about {len(missing)} images, the first is {missing[0]}.")
    wanted = set(named)
    return [one for one in found if one.image_id in wanted]
