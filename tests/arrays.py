"""Whether an array is of its annotation, as jaxtyping tells it, for half of its time.

Of a kind and precision that an annotation has taken once, the shape alone is looked at again. jaxtyping spells the precision of every
array, matches it with names, and copies all sizes that it knows: a twentieth to a tenth of what the tests took.
"""

from typing import Any, NamedTuple

from jaxtyping import _array_types as kinds
from jaxtyping._storage import get_shape_memo, set_shape_memo

_usual = kinds._MetaAbstractArray.__instancecheck__


class Plan(NamedTuple):
    """The sizes of an annotation: a number, a name, or None for any."""

    first: tuple[int | str | None, ...]
    last: tuple[int | str | None, ...] = ()
    any_length: bool = False
    """whether sizes without number lie between the two"""
    between: str = ""
    """their name, "" for none"""


_plans: dict[type, Plan | None] = {}
"""By annotation; None where jaxtyping alone can tell."""
_taken: set[tuple[type, type, Any]] = set()
"""Of annotation, kind of array and precision."""


def lighten() -> None:
    """Before the first check."""
    kinds._MetaAbstractArray.__instancecheck__ = of_annotation


def of_annotation(annotation: Any, value: Any) -> bool:
    """What `isinstance(value, annotation)` says; names of sizes are remembered as there, and forgotten where it does not fit."""
    kind = annotation, type(value), getattr(value, "dtype", None)
    if kind not in _taken:
        fits = _usual(annotation, value)
        if fits and not annotation._skip_instancecheck:
            _taken.add(kind)
            _plans.setdefault(annotation, _plan(annotation))
        return fits
    sizes, variadic, trees, given = get_shape_memo()
    if (plan := _plans[annotation]) is not None and plan.between not in variadic:
        return _fits(plan, value.shape, sizes, variadic)
    before = sizes.copy(), variadic.copy(), trees, given
    fits = annotation._check_shape(value, sizes, variadic, given) == ""
    if not fits:
        set_shape_memo(*before)
    return fits


def _plan(annotation: Any) -> Plan | None:
    at = annotation.index_variadic
    if at is None:
        sides, between = (annotation.dims, ()), ""
    else:
        sides, rest = (annotation.dims[:at], annotation.dims[at + 1 :]), annotation.dims[at]
        if rest is not kinds._anonymous_variadic_dim and (rest.broadcastable or rest.treepath):
            return None
        between = "" if rest is kinds._anonymous_variadic_dim else rest.name
    found: list[tuple[int | str | None, ...]] = []
    for side in sides:
        if not all(dim is kinds._anonymous_dim or _is_plain(dim) for dim in side):
            return None
        found.append(tuple(getattr(dim, "name", getattr(dim, "size", None)) for dim in side))
    return Plan(*found, at is not None, between)


def _is_plain(dim: Any) -> bool:
    return type(dim) in (kinds._NamedDim, kinds._FixedDim) and not dim.broadcastable and not getattr(dim, "treepath", False)


def _fits(plan: Plan, shape: tuple[int, ...], sizes: dict[str, int], variadic: dict[str, Any]) -> bool:
    first, last, any_length, between = plan
    end = len(shape) - len(last)
    if end < len(first) or (end > len(first) and not any_length):
        return False
    new: dict[str, int] = {}
    for wanted, size in (*zip(first, shape, strict=False), *zip(last, shape[end:], strict=True)):
        if wanted is None:
            continue
        if isinstance(wanted, str):
            wanted = sizes.get(wanted, new.setdefault(wanted, size))
        if wanted != size:
            return False
    sizes.update(new)
    if between:
        variadic[between] = False, shape[len(first) : end]
    return True
