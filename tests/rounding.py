"""How far two float32 computations of the same numbers may lie apart: from what rounding does, not from what one processor gave.

Every operation errs by at most `UNIT` of its result. A layer is about `OPERATIONS` sums one after the other (norm, projection, rotation,
scores, softmax, mix of values, output, feed-forward), each of up to `width` products. Processors add in different orders, so these errors
are as good as independent, and grow as a random walk does: with the root of their number (Higham & Mary 2019, SIAM J. Sci. Comput. 41(5)).
`DEVIATIONS` of it are allowed, for each of the two computations. A bound is a share of the largest value, since a sum of large terms that
cancel errs by a share of the terms.
"""

import math
import re
from typing import Any

import numpy as np
import torch

UNIT = 2.0**-24
OPERATIONS = 8
DEVIATIONS = 6


def relative(depth: int, width: int) -> float:
    """The share of the largest value by which two computations through `depth` layers of `width` may differ."""
    return 2 * DEVIATIONS * math.sqrt(OPERATIONS * depth * width) * UNIT


def size(model: torch.nn.Module) -> tuple[int, int]:
    """Depth and width of a model: its layers with the head, and the longest sum of products."""
    layers = [name for name, _ in model.named_modules() if re.search(r"(^|\.)(layers?|blocks?)\.\d+$", name)]
    shapes = [parameter.shape[1:] for parameter in model.parameters() if parameter.dim() > 1]
    # a kernel is summed over all of its taps; experts are matrices side by side
    return len(layers) + 1, max(max(shape) if len(shape) == 2 else shape.numel() for shape in shapes)


def of_model(model: torch.nn.Module) -> float:
    """`relative` of a model."""
    return relative(*size(model))


ZOO = relative(depth=8, width=192)
"""`relative` of the deepest and the widest of the zoo's models: 7.9e-5."""


def of_sum(width: int) -> float:
    """The share of the largest term by which one sum of `width` products may differ from a reference in float64."""
    return DEVIATIONS * math.sqrt(width) * UNIT


SUM = of_sum(128)
"""4.0e-6: formulas over at most 128 numbers."""


def bound(values: Any, share: float = ZOO) -> float:
    """The largest difference from these values that rounding explains.

    Values below 1 (probabilities, shares) come from scores and states of about that size and above, and err as these do.
    """
    sizes = np.abs(np.asarray(values.detach().double() if isinstance(values, torch.Tensor) else values, dtype=float))
    return share * float(np.max(sizes, initial=1.0, where=np.isfinite(sizes)))


def assert_close(found: Any, expected: Any, share: float = ZOO, of: Any = None, told: str = "") -> None:
    """Equal but for rounding; NaN and infinities at the same places.

    Parameters
    ----------
    of : what the values come from, where that is larger than they are; the bound is a share of its largest
    """
    found, expected = (torch.as_tensor(values).detach().double() for values in (found, expected))
    message = (lambda text: f"{told}: {text}") if told else None
    torch.testing.assert_close(found, expected, atol=bound(expected if of is None else of, share), rtol=0, equal_nan=True, msg=message)
