"""Bundled subjects, loaded once for all tests that leave them as they are: to load the larger one takes longer than to hear it."""

from functools import cache

from probes.subjects import Subject, load_subject


@cache
def loaded(name: str) -> Subject:
    """A bundled subject on the CPU, which every test in this process shares."""
    return load_subject(name)
