"""Bundled subjects, loaded once for all tests that leave them as they are: to load the larger one takes longer than to hear it."""

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

import pytest

from probes.subjects import Subject, load_subject, loading


@cache
def loaded(name: str) -> Subject:
    """A bundled subject on the CPU, which every test in this process shares."""
    return load_subject(name)


@cache
def lower_half(name: str) -> Subject:
    """The same without the upper half of its layers: for tests of what holds of any model, which then takes half as long."""
    with halves():
        return load_subject(name)


@contextmanager
def halves() -> Iterator[None]:
    """Subjects are loaded with the lower half of their layers, for the time of the block."""
    usual = loading.Subject

    def half(name: str, model: Any, *rest: Any) -> Subject:
        layers, text = model.model.language_model.layers, model.config.get_text_config()
        text.num_hidden_layers //= 2
        del layers[text.num_hidden_layers :]
        return usual(name, model, *rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "Subject", half)
        yield
