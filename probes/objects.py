"""How a tokenizer spells the objects of interest: the tokens of every form of every name, and which of them identify an object."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from probes.command.provenance import digest

CARRIER = "a"
"""The word before a form: a form is read as it stands inside a sentence, with the space before it."""


class ObjectValues(NamedTuple):
    """What next-token logits say of every object; NaN for an object that cannot be said.

    Attributes
    ----------
    logit : of the most probable of its first tokens
    logprob : log of the summed probability of its different first tokens, nat
    rank : 1 + tokens of the vocabulary with a higher logit than that
    """

    logit: Float[Tensor, "*row object"]
    logprob: Float[Tensor, "*row object"]
    rank: Float[Tensor, "*row object"]


@dataclass(frozen=True)
class ObjectVocabulary:
    """Objects, the forms of their names (singular, plural), and each form's tokens as it is said inside a caption.

    Attributes
    ----------
    names : of the objects, in the order of the axis `object`
    forms : by object; a form that the tokenizer cannot say is left out here and stands in `unknown`
    tokens : by object and form, all its tokens
    unknown : by object, forms that hold the tokenizer's unknown token, or that do not begin with a token of their own
    """

    names: tuple[str, ...]
    forms: tuple[tuple[str, ...], ...]
    tokens: tuple[tuple[tuple[int, ...], ...], ...]
    unknown: tuple[tuple[str, ...], ...] = ()

    def __post_init__(self):
        own, n = type(self).__name__, len(self.names)
        for name in ("forms", "tokens", *(("unknown",) if self.unknown else ())):
            if len(getattr(self, name)) != n:
                raise ValueError(f"{own}.{name} must have one entry an object; got {len(getattr(self, name))} for {n} objects.")
        if len(set(self.names)) < n:
            raise ValueError(f"{own}.names must differ; got {', '.join(self.names)}.")
        if any(len(said) != len(forms) or not all(said) for said, forms in zip(self.tokens, self.forms, strict=True)):
            raise ValueError(f"{own}.tokens must hold one token or more for each form.")

    @cached_property
    def first(self) -> tuple[tuple[int, ...], ...]:
        """By object, the different first tokens of its forms; none where it cannot be said."""
        return tuple(tuple(dict.fromkeys(tokens[0] for tokens in said)) for said in self.tokens)

    @cached_property
    def unsayable(self) -> tuple[str, ...]:
        """Objects of which no form can be said: their values are NaN."""
        return tuple(name for name, first in zip(self.names, self.first, strict=True) if not first)

    @cached_property
    def shared(self) -> dict[int, tuple[str, ...]]:
        """By token, the objects that begin with it, where that is more than one: their first token does not tell them apart."""
        owners: dict[int, list[str]] = {}
        for name, first in zip(self.names, self.first, strict=True):
            for token in first:
                owners.setdefault(token, []).append(name)
        return {token: tuple(names) for token, names in owners.items() if len(names) > 1}

    @cached_property
    def single(self) -> tuple[bool, ...]:
        """By object, whether each of its forms is one token, so that the first token says the whole name."""
        return tuple(bool(said) and all(len(tokens) == 1 for tokens in said) for said in self.tokens)

    @property
    def revision(self) -> str:
        """A hash of names, forms and tokens."""
        return digest([json.dumps([self.names, self.forms, self.tokens])])

    def describe(self) -> dict[str, Any]:
        """For a recording's attributes: by object its forms with their tokens, and what the first tokens do not tell apart."""
        said = {n: dict(zip(f, t, strict=True)) for n, f, t in zip(self.names, self.forms, self.tokens, strict=True)}
        unknown = {name: list(forms) for name, forms in zip(self.names, self.unknown, strict=False) if forms}
        return {
            "said_as": said,
            "shared_first_tokens": {str(token): list(names) for token, names in self.shared.items()},
            "unknown_forms": unknown,
            "unsayable": list(self.unsayable),
        }

    def of(self, logits: Float[Tensor, "*row token"]) -> ObjectValues:
        """Logit, log-probability and rank of every object by its first tokens, from next-token logits."""
        logits = logits.float()
        index, held = (part.to(logits.device) for part in self._table)
        flat = logits.reshape(-1, logits.shape[-1])
        shape = (*logits.shape[:-1], len(self.names))
        gathered = flat[:, index].masked_fill(~held, -torch.inf)
        best = gathered.amax(-1)
        logprob = gathered.logsumexp(-1) - flat.logsumexp(-1, keepdim=True)
        # ascending order: what lies right of the last equal value is higher
        rank = 1 + flat.shape[-1] - torch.searchsorted(_ascending(flat), best.contiguous(), right=True)
        gone = ~held.any(-1)
        return ObjectValues(*(value.masked_fill(gone, torch.nan).view(shape) for value in (best, logprob, rank.float())))

    @cached_property
    def _table(self) -> tuple[Int[Tensor, "object form"], Bool[Tensor, "object form"]]:
        width = max([1, *map(len, self.first)])
        rows = [[*first, *[-1] * (width - len(first))] for first in self.first]
        index = torch.tensor(rows, dtype=torch.long).reshape(len(self.names), width)
        return index.clamp(min=0), index >= 0


def _ascending(values: Float[Tensor, "row token"]) -> Float[Tensor, "row token"]:
    """Sorted. On the CPU by numpy, which does not sort the places along: under a tenth of torch's time at 49,152 tokens."""
    return values.sort(-1).values if values.is_cuda else torch.from_numpy(np.sort(values.detach().numpy(), -1))


def object_vocabulary(tokenizer: Any, forms: Mapping[str, Sequence[str]]) -> ObjectVocabulary:
    """The objects as this tokenizer says them inside a sentence, behind another word.

    Parameters
    ----------
    tokenizer : of transformers
    forms : by object, the words that a caption says for it, such as {"cat": ("cat", "cats")}

    A form is left out, and listed in `unknown`, if one of its tokens is the tokenizer's unknown token, if the tokenizer joins it with the
    word before it, or if its first token is nothing but the space.
    """
    spoken, tokens, unknown = [], [], []
    for words in forms.values():
        said = {form: _inside(tokenizer, form) for form in dict.fromkeys(words)}
        spoken.append(tuple(form for form, found in said.items() if found))
        tokens.append(tuple(found for found in said.values() if found))
        unknown.append(tuple(form for form, found in said.items() if not found))
    return ObjectVocabulary(tuple(forms), tuple(spoken), tuple(tokens), tuple(unknown))


def _inside(tokenizer: Any, form: str) -> tuple[int, ...]:
    """The tokens of a form behind another word; none if it cannot be said."""
    before = tokenizer(CARRIER, add_special_tokens=False)["input_ids"]
    whole = tokenizer(f"{CARRIER} {form}", add_special_tokens=False)["input_ids"]
    tokens = tuple(int(token) for token in whole[len(before) :])
    joined = whole[: len(before)] != before
    if joined or not tokens or tokenizer.unk_token_id in tokens or not tokenizer.decode([tokens[0]]).strip():
        return ()
    return tokens
