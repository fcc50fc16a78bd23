"""Options as JSON-able data, for provenance: small whatever they hold."""

from dataclasses import fields, is_dataclass
from numbers import Integral, Real

import torch

from kvsmooth.policies.first_pass import digest


def described(value: object) -> object:
    """JSON-able account of an option: a part with options by its name and options, a tensor by shape and digest.

    A part that has a `describe` of its own is asked; a function is named.
    """
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Integral | Real):  # numpy's numbers, which JSON does not know
        return int(value) if isinstance(value, Integral) else float(value)
    if hasattr(value, "describe"):
        return value.describe()
    if is_dataclass(value):
        name = getattr(value, "name", type(value).__name__)
        return {"name": name, **{each.name: described(getattr(value, each.name)) for each in fields(value)}}
    if isinstance(value, torch.Tensor):
        return {"shape": list(value.shape), "digest": digest(value)}
    if isinstance(value, dict):
        return {str(key): described(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple | set | frozenset | range):
        return [described(entry) for entry in (sorted(value) if isinstance(value, set | frozenset) else value)]
    return {"name": getattr(value, "name", None) or getattr(value, "__qualname__", type(value).__qualname__)}
