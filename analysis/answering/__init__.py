"""A subject answers questions about images: the worker that an engine runs."""

from analysis.answering.query import Query, Said

__all__ = ["Query", "Said"]
