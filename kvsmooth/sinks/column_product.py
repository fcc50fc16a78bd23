"""Knowledge aggregation (OPERA): the product down a column of the attention map, large where every later token looks back."""

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from kvsmooth.measures import TINY
from kvsmooth.sinks.detector import Detector
from kvsmooth.sinks.positions import received
from kvsmooth.sinks.view import View

FORMS = ("log", "reference")


@dataclass(frozen=True)
class ColumnProduct(Detector):
    """Product of a column's scaled attention over the position itself and all later rows; its logarithm, so that it cannot overflow.

    Rows are the maximum over heads, divided by their sum over all keys. Rows and columns are those of the counted positions (the
    generated ones, in the source), of all visible ones where none are singled out; other columns score -inf, in the reference's form 0.
    The source reads the last layer only. Every further row multiplies by scale * attention: early columns grow without bound where that
    exceeds 1, and `per_row` makes columns of different lengths comparable.

    Source: OPERA (arXiv 2311.17911) and its published code.

    Parameters
    ----------
    scale : factor of each attention weight before they are multiplied, > 0
    form : "log" is the sum of logarithms, in nat; "reference" is 1e-7 times the float32 product, rounded to float16 as in the published
        code, where it overflows to inf above 65504
    per_row : divide the logarithm by the number of factors, for the log of their geometric mean; with form="log" only
    """

    scale: float = 50.0
    form: str = "log"
    per_row: bool = False
    name: ClassVar[str] = "column_product"
    needs: ClassVar[frozenset[str]] = frozenset({"probabilities"})
    known: ClassVar[str] = "later"
    unit: ClassVar[str] = "nat"

    def __post_init__(self) -> None:
        if not self.scale > 0:
            raise ValueError(f"ColumnProduct.scale must be above 0; got {self.scale}.")
        if self.form not in FORMS:
            raise ValueError(f"ColumnProduct.form must be one of {FORMS}; got {self.form!r}.")
        if self.per_row and self.form != "log":
            raise ValueError("ColumnProduct.per_row must be False with form='reference', whose columns are plain products; got True.")

    def __call__(self, seen: View) -> Float[Tensor, "layer row 1 token"]:
        """Log product (nat) or the reference's product of each counted column."""
        _, queries = received(seen, "ColumnProduct")
        counted = queries > 0 if seen.counted is None else (queries > 0) & seen.counted
        rows = seen.probabilities.amax(2)
        rows = rows / rows.sum(-1, keepdim=True).clamp_min(TINY)
        factors = counted[:, :, None] & torch.ones_like(counted)[:, None] & torch.ones_like(rows[0, 0]).tril().bool()
        scaled = (rows * self.scale).where(factors, 1.0)  # a row that does not count leaves the product as it is
        if self.form == "reference":
            product = (1e-7 * scaled.prod(2)).half().float()
            return product.where(counted, 0.0)[:, :, None]
        product = scaled.clamp_min(TINY).log().sum(2)
        if self.per_row:
            product = product / factors.sum(1).clamp_min(1)
        return product.where(counted, -math.inf)[:, :, None]


if __name__ == "__main__":
    from kvsmooth.sinks.toy import draw

    draw(ColumnProduct(per_row=True))
