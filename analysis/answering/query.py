"""A question about an image, and the completion that a model generated for it; both picklable, so that they cross processes."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from probes.command.cli import BadInput
from probes.command.values import whole
from probes.subjects.item import PROMPT, check_prompt


@dataclass(frozen=True)
class Query:
    """One question about one image.

    Attributes
    ----------
    key : unique in a run
    image_id : of the image, an integer from 0 on
    image : the path of an image, or a PIL image
    prompt : what is asked, as plain words; the subject's chat template, or its `prompts`, puts the image before it
    """

    key: str
    image_id: int
    image: Any
    prompt: str = PROMPT

    def __post_init__(self):
        if not self.key:
            raise BadInput("Query.key must say something; it is empty.")
        object.__setattr__(self, "image_id", whole(self.image_id, "Query.image_id", where=f"query {self.key}"))
        if not isinstance(self.image, Image.Image | str | Path):
            raise BadInput(f"Query.image must be a PIL image or a path; got {type(self.image).__name__} (query {self.key}).")
        check_prompt(self.prompt, "Query.prompt", f"query {self.key}")


@dataclass(frozen=True)
class Completion:
    """What a model said to one query.

    Attributes
    ----------
    text : as decoded; the prompt, special tokens and blanks at both ends left out
    tokens : that were generated, the end token among them
    seconds : the batch took, encoding and decoding included, divided by its items
    report : KVSmooth's run report of the whole batch that the item was in; None without the method
    """

    text: str
    tokens: int
    seconds: float
    report: dict[str, Any] | None = None
