"""The questions by name, and how each is run. One more is a package of that name and a line here.

The list imports none of them: commands, `python -m analysis`, the Makefile, the pages and the tests go by it.
"""

import importlib
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class QuestionCommand:
    """How a question's command is called.

    Parameters
    ----------
    recordings : whether it has the option of that name
    store : folder of its finished parts, inside the folder of recordings; "" where it has none
    page : of the docs, that it writes; "" for none
    most : images that it looks at, at most
    all_lanes : whether it spreads over all workers by itself, as long as its store is empty; not in a trial of all questions
    plan : whether it has the option of that name
    shared : what it shares with others, as in `analysis.regenerate.lanes.Job`
    trial : options that it is given where a run is not a subject's whole one, so that it takes minutes; values of lists with spaces between
    trial_part : of the images, which it looks at there
    trial_minutes : of the processor that it takes there, with 60 images; the longest start first, so that no lane waits at the end
    """

    recordings: bool = False
    store: str = ""
    page: str = ""
    most: int = sys.maxsize
    all_lanes: bool = False
    plan: bool = False
    shared: str = ""
    trial: Mapping[str, str] = field(default_factory=dict)
    trial_part: float = 1.0
    trial_minutes: float = 0.0


CELLS = "cells"  # of the ablation, in one store
RECORDED: dict[str, Any] = {"recordings": True, "shared": "recordings"}
QUESTIONS = {
    "drift": QuestionCommand(**RECORDED, page="findings.md", trial={"--fluent": "5"}, trial_minutes=1.8),
    "sinks": QuestionCommand(recordings=True, store="sinks", page="findings.md", trial_minutes=1.4),
    "mediation": QuestionCommand(store="mediation", page="findings.md", most=200, trial_part=1 / 4, trial_minutes=1.3),
    "logits": QuestionCommand(**RECORDED, page="findings.md"),
    "coupling": QuestionCommand(**RECORDED, page="findings.md", trial_minutes=0.4),
    "entropy": QuestionCommand(**RECORDED, page="findings.md", trial_minutes=0.4),
    "onset": QuestionCommand(**RECORDED, page="findings.md"),
    "ablation": QuestionCommand(
        store="ablation", page="ablation.md", all_lanes=True, plan=True, shared=CELLS, trial={"--fluent": "0"}, trial_minutes=1.0
    ),
    "dose": QuestionCommand(
        store="ablation",
        page="findings.md",
        shared=CELLS,
        trial={"--fluent": "5", "--doses": "0.0 0.1 0.3 0.5 0.7 0.9"},
        trial_minutes=1.2,
    ),
    "sensitivity": QuestionCommand(
        store="ablation",
        page="findings.md",
        all_lanes=True,
        shared=CELLS,
        trial={"--lambdas": "0.1 0.3 0.5 0.7 0.9", "--margins": "0.0 0.2", "--windows": "15 60"},
        trial_minutes=1.6,
    ),
}
"""In the order in which they start in a whole run, where lanes are free: the one that records first, those that fill all lanes last."""


@dataclass(frozen=True)
class Whole:
    """How the committed files of a subject are made; `make reproduce SUBJECT=...` runs this.

    Parameters
    ----------
    images, plan : how many scenes, and the plan of the ablation
    docs : folder of its pages
    recordings : folder of its recordings
    batch_size : images decoded together; None: as many as each question takes by itself
    own : by question, options that it is given in place of these
    """

    images: int
    plan: str
    docs: Path
    recordings: Path
    batch_size: int | None = None
    own: Mapping[str, Mapping[str, str]] = field(default_factory=dict)


SMOLLM2 = {
    "sinks": {"--images": "60"},
    "mediation": {"--images": "30", "--batch-size": "20"},
    "ablation": {"--images": "200"},
    "dose": {"--images": "200"},
    "sensitivity": {"--images": "100"},
}
"""What of the pretrained subject is asked of fewer scenes, or fewer at once: a cell of a hundred takes a minute and a half of one core."""

WHOLE = {
    "emoji": Whole(500, "full", Path("docs"), Path("recordings")),
    "smollm2": Whole(500, "ladder,dose,first_token", Path("docs/subjects/smollm2"), Path("recordings/smollm2"), 50, SMOLLM2),
}

ACROSS_SUBJECTS = ("form", "grounding", "language", "mechanism", "methods", "published")
"""Questions that a whole run of one subject does not ask: of fixed sentences, of points of a training, of texts without images, of
controls, of methods of others, of what others have published."""


def options_of(question: str) -> Any:
    """The class of a question's options, imported now: `DriftConfig` is in `analysis.drift.config`, or in its `__main__`."""
    module = next(name for name in (f"analysis.{question}.config", f"analysis.{question}.__main__") if find_spec(name))
    return getattr(importlib.import_module(module), f"{question.capitalize()}Config")
