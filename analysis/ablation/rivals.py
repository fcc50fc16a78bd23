"""What CHAIR of a cell cannot say by itself: whether its captions are broken, and how far it lies from what leaving out would give.

Leaving out is that of `analysis.omission`, from the baseline's own captions; broken captions are those of `analysis.language.paired`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import xarray as xr

from analysis.captions.rows import told
from analysis.cells.arms import Arms
from analysis.cells.names import BASELINE
from analysis.omission.stored import lines_of
from analysis.stats.rows import Row

if TYPE_CHECKING:
    from analysis.cells.gather import Finished
    from analysis.language.kept import Reader

PLAIN = "plain_"
"""Before the names of what is known of the baseline's mentions."""


def variables(ran: "Finished", read: "Reader | None", most: int, seed: int) -> xr.Dataset:
    """The baseline's mentions, of which something may be left out, and the NLL of the first captions of every cell.

    Parameters
    ----------
    read : what reads captions; None: none is read
    most : captions of each cell that are read, the first ones
    seed : of the shuffling
    """
    from analysis.language.reading import first_captions
    from analysis.metrics.chair import score_caption
    from analysis.omission.mentions import mentions_of
    from analysis.omission.stored import stored

    captions = {cell.name: list(result["captions"]) for cell, result in zip(ran.cells, ran.results, strict=True)}
    plain = captions[BASELINE]
    mentions = xr.Dataset(stored(mentions_of([score_caption(text, there) for text, there in zip(plain, ran.truth, strict=True)], plain)))
    found = mentions.rename({str(name): f"{PLAIN}{name}" for name in (*mentions.data_vars, "mention")})
    if read is None:
        return found
    first = {BASELINE: plain, **captions}
    nll = xr.Dataset(first_captions(read, first, most, seed), {"arm": list(first)}).rename(arm="cell")
    return found.merge(nll.sel(cell=list(captions)))


def rival_rows(held: xr.Dataset, *, level: float = 0.95, seed: int = 0) -> list[Row]:
    """Rows "<cell>/nll", "<cell>/broken", the same "<cell> - baseline", and "<cell>/beyond every line/<measure>".

    Distances are corrected within a family, as the other measures are, broken text over all cells; none of what the data do not hold.
    """
    arms = Arms.of(held)
    family = {name: own for name, own in zip(arms.names, arms.families, strict=True) if name != BASELINE}
    rows = _fluent(held, family, seed, level)
    for own in dict.fromkeys(family.values()):
        rows += _beyond(held, [name for name in family if family[name] == own], own, seed, level)
    return rows


def _fluent(held: xr.Dataset, family: Mapping[str, str], seed: int, level: float) -> list[Row]:
    from analysis.language.paired import fluency_rows

    if "nll" not in held:
        return []
    cells = [BASELINE, *family]
    of = held[["counts", "nll", "nll_shuffled"]].sel(cell=cells).rename(cell="arm", counts="test")

    def named(measure: str, arm: str, control: str | None = None) -> tuple[str, dict[str, Any]]:
        whose = {"cell": arm} if control is None else {"treated": arm, "control": control}
        return f"{told(arm, control)}/{measure}", {"family": family.get(arm, "reference"), "measure": measure, **whose}

    return fluency_rows(of, cells, seed, level, named, BASELINE)


def _beyond(held: xr.Dataset, members: list[str], family: str, seed: int, level: float) -> Iterator[Row]:
    from analysis.omission.distance import EVERY, distance_rows
    from analysis.omission.line import COUNTS

    if f"{PLAIN}object" not in held:
        return
    plain = held[[str(name) for name in held.data_vars if str(name).startswith(PLAIN)]]
    lines = lines_of(plain.rename({name: str(name).removeprefix(PLAIN) for name in (*plain.data_vars, f"{PLAIN}mention")}))
    said = held["counts"].sel(count=list(COUNTS)).transpose("cell", "image", "count")
    counted: Mapping[str, Any] = {name: (said.sel(cell=name).values.astype(float), lines) for name in members}
    for row in distance_rows(counted, level=level, seed=seed):
        if f"/{EVERY}/" in row.name:
            where = {"family": family, "cell": row.where["arm"], "measure": row.where["measure"], "rule": row.where["rule"]}
            yield replace(row, where=where, adjustment=f"{row.adjustment.replace('arms', 'cells')} of {family}")
