"""The fork regime: the probability, at given steps of a caption, that the arm continues with each object's whole name instead.

A caption is replayed up to the step, and from there each name is forced. The first token of a name is read where the caption stands;
later ones need a branch. A branch is a row of its own, replayed from the prompt on: nothing is shared with the caption's own replay, so
there is no cache or state of a method to copy or restore. It costs one replay of the text up to the fork for each way in which a name of
several tokens goes on, less one token ("hot dog" and "hot dogs" share theirs); names of one token cost nothing beyond the caption.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from torch import Tensor

from probes import DEFAULT_BATCH
from probes.command.cli import BadInput
from probes.command.values import is_whole, whole
from probes.objects import ObjectVocabulary
from probes.patching import patched
from probes.subjects.item import Item
from probes.tracing.tokens import end_tokens, until_end

Tokens = tuple[int, ...]


@dataclass(frozen=True)
class Forks:
    """Log-probabilities of objects at forks, nat; NaN for an object that cannot be said.

    Attributes
    ----------
    image, step : of each fork, in the order in which they were given
    objects : names, the second axis
    name : of the whole name: the probability of every token of a form, one after the other, summed over forms
    first : of the first token: the summed probability of the object's different first tokens, as the recorder "lens" has it
    """

    image: Int[np.ndarray, "fork"]
    step: Int[np.ndarray, "fork"]
    objects: tuple[str, ...]
    name: Float[np.ndarray, "fork object"]
    first: Float[np.ndarray, "fork object"]


def fork(
    subject: Any,
    items: Sequence[Item],
    captions: Sequence[Sequence[int]],
    steps: Sequence[Sequence[int]],
    arm: Any | None = None,
    objects: ObjectVocabulary | None = None,
    batch_size: int = DEFAULT_BATCH,
    progress: bool = False,
) -> Forks:
    """At each fork, the log-probability of every object's whole name, and of its first token.

    A form that begins with another form of the same object is part of it and not counted again; what would follow the name is not asked.

    Parameters
    ----------
    subject : made inputs (`encode`) and `tracing` are used
    captions : tokens of each item, as recorded in `token_predicted`
    steps : of each item, the steps at which the next token is asked for; step s stands behind the first s tokens of the caption
    arm : None, or a method such as `KVSmooth()`; it acts in every branch as it does when it generates
    objects : the subject's own if None
    batch_size : branches a batch; they are sorted by length, so that few steps are wasted
    progress : show a bar, on a terminal only

    Raises
    ------
    BadInput : not one caption and one list of steps an item, or a step beyond its caption
    """
    from tqdm import tqdm

    batch_size = whole(batch_size, "fork.batch_size", least=1)
    objects = subject.objects if objects is None else objects
    captions = _checked(items, captions, steps, end_tokens(subject.tracing.speaker))
    forms = [_independent(said) for said in objects.tokens]
    tokens = sorted({token for said in forms for path in said for token in path})
    at = {token: i for i, token in enumerate(tokens)}
    branches = _branches(captions, steps, forms)
    order = sorted(range(len(branches)), key=lambda i: len(branches[i].said))
    # after what was said behind the prompt, the log-probability of each token of a name
    known: dict[tuple[int, Tokens], Float[Tensor, " token"]] = {}
    with tqdm(total=len(branches), unit="branch", disable=None if progress else True) as bar:
        for start in range(0, len(order), batch_size) if tokens else ():
            chosen = [branches[i] for i in order[start : start + batch_size]]
            inputs = subject.encode([items[branch.item] for branch in chosen])
            replay = patched(subject.tracing, inputs, [branch.said for branch in chosen], arm, tokens=tokens)
            for row, branch in enumerate(chosen):
                for step in branch.wanted:
                    known[branch.item, branch.said[:step]] = replay.log_probabilities[step, row]
            bar.update(len(chosen))
    forks = [(item, step) for item, its in enumerate(steps) for step in its]
    name = np.full((len(forks), len(forms)), np.nan)
    first = name.copy()
    for i, (item, step) in enumerate(forks):
        before = captions[item][:step]
        for j, said in enumerate(forms):
            if said:
                names = [sum(float(known[item, before + path[:k]][at[path[k]]]) for k in range(len(path))) for path in said]
                name[i, j] = np.logaddexp.reduce(names)
                first[i, j] = np.logaddexp.reduce([float(known[item, before][at[token]]) for token in objects.first[j]])
    where = np.array([(items[item].image_id, step) for item, step in forks], dtype=np.int64).reshape(-1, 2)
    return Forks(where[:, 0], where[:, 1], objects.names, name, first)


@dataclass(frozen=True)
class _Branch:
    """Tokens that are forced behind an item's prompt, and the steps of it at which the next token is asked for."""

    item: int
    said: Tokens
    wanted: tuple[int, ...]


def _branches(captions: Sequence[Tokens], steps: Sequence[Sequence[int]], forms: Sequence[Sequence[Tokens]]) -> list[_Branch]:
    """The caption itself up to its last fork, and at each fork what names of several tokens need beyond."""
    further = _longest({path for said in forms for path in said if len(path) > 1})
    branches = []
    for item, (caption, its) in enumerate(zip(captions, steps, strict=True)):
        if its:
            branches.append(_Branch(item, caption[: max(its) + 1], tuple(sorted(set(its)))))
        # the last token of a form is forced only so that the step before it exists
        branches += [
            _Branch(item, caption[:step] + path, tuple(range(step + 1, step + len(path))))
            for step in dict.fromkeys(its)
            for path in further
        ]
    return branches


def _longest(paths: set[Tokens]) -> list[Tokens]:
    """Of paths that agree in all but their last token, or begin another one, one is enough."""
    chosen: list[Tokens] = []
    for path in sorted(paths, key=lambda path: (-len(path), path)):
        if not any(other[: len(path) - 1] == path[:-1] for other in chosen):
            chosen.append(path)
    return chosen


def _independent(said: Sequence[Tokens]) -> list[Tokens]:
    """Forms that do not begin with another form: their events exclude each other, so that probabilities add up."""
    return [path for path in dict.fromkeys(said) if not any(path != other and path[: len(other)] == other for other in said)]


def _checked(items: Sequence[Item], captions: Sequence, steps: Sequence, ends: Sequence[int]) -> list[Tokens]:
    if not len(items) == len(captions) == len(steps):
        got = f"{len(items)} items, {len(captions)} captions and {len(steps)} lists"
        raise BadInput(f"fork needs a caption and a list of steps for each item; got {got}.")
    cut = [tuple(until_end(caption, ends)) for caption in captions]
    for item, caption, its in zip(items, cut, steps, strict=True):
        if its and not caption:
            raise BadInput(f"fork.captions must hold a token or more where there are forks; that of image {item.image_id} is empty.")
        if wrong := [step for step in its if not is_whole(step) or not 0 <= step < len(caption)]:
            raise BadInput(f"fork.steps must lie from 0 to {len(caption) - 1} in the caption of image {item.image_id}; got {wrong[0]}.")
    return cut
