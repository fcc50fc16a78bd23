"""A subject answers questions about images: the worker that an engine runs."""

from analysis.answering.query import Completion, Query

__all__ = ["Completion", "Query"]
