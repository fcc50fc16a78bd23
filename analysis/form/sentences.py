"""Sentences whose places for objects the model fills, and what leaves it no other choice while it generates."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import LogitsProcessor

from probes.command.cli import BadInput

FORM = "The picture features {}, {}, and {}. Next to them, one can also find {} and {}. In the background, there is also {} and {}."
"""A caption with places for objects; its words are known to both bundled subjects."""
PLACES = FORM.count("{}")

Tree = dict[int, Any]
"""By token, what may follow: a tree again, or the object that is said when the token is."""
Program = list[tuple[int, ...] | Tree]
"""Tokens that are fixed, and trees of which one path is chosen, one behind the other."""


def with_article(word: str) -> str:
    """A dog, an apple."""
    return f"{'an' if word[0] in 'aeiou' else 'a'} {word}"


def program(tokenizer: Any, forms: Mapping[str, Sequence[str]], form: str = FORM) -> Program:
    """The form in a subject's tokens.

    Parameters
    ----------
    forms : by object, the words that captions say; the first one is offered

    Raises
    ------
    BadInput : the tokenizer does not know a word of the form, or one object's tokens begin another's
    """
    first, *rest = (piece.rstrip() for piece in form.split("{}"))
    names: Tree = {}
    for name, words in forms.items():
        _grow(names, _tokens(tokenizer, first, f" {with_article(words[0])}"), name)
    said = first
    made: Program = [_tokens(tokenizer, "", first)]
    for piece in rest:
        said += f" {with_article(next(iter(forms.values()))[0])}"
        made += [names, _tokens(tokenizer, said, piece)]
        said += piece
    return made


def longest(steps: Program) -> int:
    """Tokens of the longest caption, its end included."""
    return 1 + sum(len(step) if isinstance(step, tuple) else _depth(step) for step in steps)


class FixedForm(LogitsProcessor):
    """Leaves those tokens possible that the form has next, for one batch.

    Parameters
    ----------
    steps : of the form
    end : the token behind it
    """

    def __init__(self, steps: Program, end: int):
        self.steps, self.end = steps, end
        self.rows: list[_Row] | None = None

    def __call__(self, input_ids: Int[Tensor, "row position"], scores: Float[Tensor, "row token"]) -> Float[Tensor, "row token"]:
        if self.rows is None:
            self.rows = [_Row(self.steps, self.end) for _ in input_ids]
        else:
            for row, token in zip(self.rows, input_ids[:, -1].tolist(), strict=True):
                row.heard(token)
        left = torch.full_like(scores, -torch.inf)
        for at, row in enumerate(self.rows):
            possible = torch.tensor(row.possible, device=scores.device)
            left[at, possible] = scores[at, possible]
        return left


class _Row:
    """How far a caption has come."""

    def __init__(self, steps: Program, end: int):
        self.steps, self.end, self.step, self.place = steps, end, 0, 0
        self.tree: Tree | None = None

    @property
    def possible(self) -> list[int]:
        """Tokens that may come next."""
        if self.step == len(self.steps):
            return [self.end]
        step = self.steps[self.step]
        return [step[self.place]] if isinstance(step, tuple) else list(step if self.tree is None else self.tree)

    def heard(self, token: int) -> None:
        """A token was said; behind the end nothing matters."""
        if self.step == len(self.steps):
            return
        step = self.steps[self.step]
        if isinstance(step, tuple):
            self.place += 1
            done = self.place == len(step)
        else:
            below = (step if self.tree is None else self.tree)[token]
            done = isinstance(below, str)
            self.tree = None if done else below
        if done:
            self.step, self.place = self.step + 1, 0


def _tokens(tokenizer: Any, before: str, text: str) -> tuple[int, ...]:
    """What a text adds to the tokens of the text before it."""
    first, whole = (tuple(tokenizer(said, add_special_tokens=False)["input_ids"]) if said else () for said in (before, before + text))
    unknown = tokenizer.unk_token_id is not None and tokenizer.unk_token_id in whole[len(first) :]
    if unknown or whole[: len(first)] != first:
        raise BadInput(f"this subject's tokenizer cannot say {text.strip()!r} behind {before!r}; ask another subject.")
    return whole[len(first) :]


def _grow(tree: Tree, tokens: Sequence[int], name: str) -> None:
    *before, last = tokens
    for token in before:
        tree = tree.setdefault(token, {})
        if isinstance(tree, str):
            raise BadInput(f"the tokens of {tree!r} begin those of {name!r}; the form cannot tell them apart.")
    if last in tree:
        raise BadInput(f"the tokens of {name!r} are those of another object, or begin them; the form cannot tell them apart.")
    tree[last] = name


def _depth(tree: Tree) -> int:
    return 1 + max(_depth(below) if isinstance(below, dict) else 0 for below in tree.values())
