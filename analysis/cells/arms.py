"""The finished cells side by side: counts by image, which of them are compared, and one bootstrap for all that is estimated."""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import xarray as xr
from jaxtyping import Float, Int

from analysis.cells.measures import COUNTS, CellCaptions, measures, weights
from analysis.cells.names import BASELINE, PAPER, WITHOUT_FIRST
from analysis.stats.bootstrap import Interval, cluster_bca, multiplicity_of_images
from analysis.stats.rows import Row

Values = Float[np.ndarray, "*draw cell measure"]


@dataclass(frozen=True)
class Arms:
    """All cells on the same images.

    Parameters
    ----------
    names, families : of the cells, in their order
    counts : what `measures` sums
    absent, word : mentions of each caption, as in `CellCaptions`
    """

    names: tuple[str, ...]
    families: tuple[str, ...]
    counts: Float[np.ndarray, "cell image count"]
    absent: Int[np.ndarray, "cell image mention"]
    word: Int[np.ndarray, "cell image mention"]

    @classmethod
    def of(cls, data: xr.Dataset) -> "Arms":
        """From the reduced data."""
        cells = json.loads(data.attrs["cells"])
        names, families = (tuple(cell[part] for cell in cells) for part in ("name", "family"))
        counts = data["counts"].transpose("cell", "image", "count").sel(count=list(COUNTS)).values.astype(float)
        mentions = (data[name].transpose("cell", "image", "mention").values.astype(np.int16) for name in ("absent", "word"))
        return cls(names, families, counts, *mentions)

    @property
    def images(self) -> int:
        """How many images every cell was run on."""
        return self.counts.shape[1]

    def index(self, name: str) -> int:
        """Where a cell stands."""
        return self.names.index(name)

    def spoken(self, name: str) -> CellCaptions:
        """The captions of one cell."""
        i = self.index(name)
        return CellCaptions(self.counts[i], self.absent[i], self.word[i])

    @cached_property
    def above(self) -> Float[np.ndarray, "cell image measure"]:
        """Each image's contribution to the numerators."""
        return self.counts @ weights("above")

    @cached_property
    def below(self) -> Float[np.ndarray, "cell image measure"]:
        """Each image's contribution to the denominators."""
        return self.counts @ weights("below")

    def values(self, drawn: Int[np.ndarray, "*draw image"]) -> Values:
        """Every measure of every cell on the drawn images, the same images for all cells."""
        flat = self.counts.transpose(1, 0, 2).reshape(self.images, -1)
        total = multiplicity_of_images(drawn, self.images) @ flat
        return measures(total.reshape(*total.shape[:-1], len(self.names), len(COUNTS)))


@dataclass(frozen=True)
class Pair:
    """Two cells that are compared, treated minus control; pairs of one family are corrected for each other."""

    treated: str
    control: str
    family: str

    @property
    def name(self) -> str:
        """As rows are called."""
        return f"{self.treated} - {self.control}"


def pairs(arms: Arms) -> list[Pair]:
    """Every cell against the baseline, by its family; the paper's cell against every control of the ladder, and against its own score
    without the first token."""
    cells = list(zip(arms.names, arms.families, strict=True))
    found = [Pair(name, BASELINE, family) for name, family in cells if name != BASELINE and BASELINE in arms.names]
    if PAPER in arms.names:
        found += [Pair(PAPER, name, "paper against controls") for name, family in cells if family == "ladder" and name != PAPER]
    if {PAPER, WITHOUT_FIRST} <= set(arms.names):
        found.append(Pair(PAPER, WITHOUT_FIRST, "paper against its score without the first token"))
    return found


@dataclass(frozen=True)
class BootstrapBlock:
    """Some quantities of the cells' measures, and the rows that their intervals become.

    Parameters
    ----------
    of : from measures "*draw cell measure" to quantities "*draw quantity"
    rows : from the quantities' intervals to rows
    """

    of: Callable[[Values], Float[np.ndarray, "*draw quantity"]]
    rows: Callable[[Interval], list[Row]]


def bootstrapped(arms: Arms, blocks: Sequence[BootstrapBlock], *, level: float, seed: int) -> list[Row]:
    """The rows of all blocks from one cluster bootstrap: every quantity on the same drawn images."""
    sizes: list[int] = []

    def statistic(drawn: Int[np.ndarray, "*draw image"]) -> Float[np.ndarray, " quantity *draw"]:
        values = arms.values(drawn)
        parts = [block.of(values) for block in blocks]
        sizes[:] = [part.shape[-1] for part in parts]
        return np.moveaxis(np.concatenate(parts, -1), -1, 0)

    interval = cluster_bca(statistic, arms.images, level=level, seed=seed)
    rows, start = [], 0
    for block, size in zip(blocks, sizes, strict=True):
        part = slice(start, start + size)
        rows += block.rows(Interval(interval.estimate[part], interval.low[part], interval.high[part], interval.reason[part]))
        start += size
    return rows
