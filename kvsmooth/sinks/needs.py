"""What a score asks to see while decoding, and which scores cannot be served."""

from collections.abc import Callable
from dataclasses import fields
from typing import Any

from kvsmooth.errors import Unsupported
from kvsmooth.sinks.view import View

ROWS, STATES = frozenset({"probabilities", "logits"}), frozenset({"keys", "values", "key", "value"})


def needs_of(score: Callable[..., Any]) -> frozenset[str]:
    """Parts of `View` that a detector reads; a function that does not say gets the probabilities."""
    return frozenset(getattr(score, "needs", ("probabilities",)))


def check_score(score: Callable[..., Any], heads: str) -> None:
    """Refuse a detector that cannot tell at the token's own step, or not for these heads.

    Raises
    ------
    Unsupported : it is known only from later queries, needs what `View` does not have, or needs each head's states beside one mean row
    """
    name = getattr(score, "__name__", type(score).__name__)
    if getattr(score, "known", "step") == "later":
        raise Unsupported(f"KVSmooth.score must be known by the token's own step; got {name}, which only later queries tell: rank with it.")
    unknown = needs_of(score) - {each.name for each in fields(View)}
    if unknown:
        raise Unsupported(f"KVSmooth.score may need parts of View; {name} needs {', '.join(sorted(unknown))}.")
    if heads == "mean_row" and needs_of(score) & ROWS and needs_of(score) & STATES:
        raise Unsupported(f'KVSmooth.heads must not be "mean_row" for {name}, which needs each head\'s states beside its row: use "mean".')
