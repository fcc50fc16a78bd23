"""What counts as a whole number among options."""

from numbers import Integral


def whole(value: object) -> bool:
    """Python's and numpy's integers; no float, also not 2.0, and no truth value."""
    return isinstance(value, Integral) and not isinstance(value, bool)
