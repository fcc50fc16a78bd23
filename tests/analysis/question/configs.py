"""Every question's options, by the rule of their names: `DriftConfig` is in `analysis.drift.config`, or in its `__main__`."""

import importlib
from importlib.util import find_spec

from analysis.questions import QUESTIONS


def config_of(question):
    """The class of its options."""
    module = next(name for name in (f"analysis.{question}.config", f"analysis.{question}.__main__") if find_spec(name))
    return getattr(importlib.import_module(module), f"{question.capitalize()}Config")


CONFIGS = tuple(QUESTIONS)
