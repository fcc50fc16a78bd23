"""Rows of what captions are compared by: each arm's levels, described, and its tested changes from the first arm."""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np
from jaxtyping import Float

from analysis.stats.bootstrap import Interval
from analysis.stats.exchange import exchange_scores
from analysis.stats.paired import sign_flip
from analysis.stats.rows import Row

Counted = int | np.ndarray
"""Images with a value: of all, or "arm measure", flat, of each."""


Naming = Callable[..., tuple[str, dict[str, Any]]]
"""Takes a measure, an arm and, of a change, its control: what the row is called and where it stands."""


def of_split(split: str) -> Naming:
    """Rows "<split>/<measure>/<arm>" and "<split>/<measure>/<arm> - <control>"."""

    def named(measure: str, arm: str, control: str | None = None) -> tuple[str, dict[str, Any]]:
        whose = {"arm": arm} if control is None else {"treated": arm, "control": control}
        return f"{split}/{measure}/{told(arm, control)}", {"split": split, **whose, "measure": measure}

    return named


def told(arm: str, control: str | None) -> str:
    """An arm, or its change from a control, as names of rows say it."""
    return arm if control is None else f"{arm} - {control}"


def level_rows(found: Interval, arms: Sequence[str], units: Mapping[str, str], n: Counted, naming: Naming) -> list[Row]:
    """Each measure in each arm, described.

    Parameters
    ----------
    found : values "arm measure", flat
    units : of the measures, by name
    """
    rows, counted = [], np.broadcast_to(n, len(arms) * len(units))
    for at, (arm, (measure, unit)) in enumerate(product(arms, units.items())):
        name, where = naming(measure, arm)
        rows.append(_row(found, at, name, unit, int(counted[at]), where, role="descriptive"))
    return rows


def change_rows(
    found: Interval,
    arms: Sequence[str],
    units: Mapping[str, str],
    n: Counted,
    naming: Naming,
    tested: Callable[[int, int], Mapping[str, Any]],
) -> list[Row]:
    """The change of each measure in each arm but the first, from the first.

    Parameters
    ----------
    found : changes "arm measure", flat, of the arms behind the first
    tested : of the numbers of arm and measure, both from 0: test, p, its correction and its role
    """
    rows, counted = [], np.broadcast_to(n, (len(arms) - 1) * len(units))
    for at, ((i, arm), (k, measure)) in enumerate(product(enumerate(arms[1:]), enumerate(units))):
        name, where = naming(measure, arm, arms[0])
        rows.append(_row(found, at, name, units[measure], int(counted[at]), where, **tested(i, k)))
    return rows


def exchange_p(
    above: Float[np.ndarray, "arm image measure"], below: Float[np.ndarray, "arm image measure"], seed: int
) -> Float[np.ndarray, "change measure"]:
    """p of the exchange of each arm behind the first with the first, within images, of ratios of these parts."""
    scores = np.stack([exchange_scores(above[[i, 0]], below[[i, 0]]) for i in range(1, len(above))], 1)  # "image arm measure"
    return sign_flip(scores.reshape(len(scores), -1), seed=seed)[0].reshape(scores.shape[1:])


def _row(found: Interval, at: int, name: str, unit: str, n: int, where: Mapping[str, Any], **more: Any) -> Row:
    limits = (found.low[at], found.high[at])
    return Row(name, found.estimate[at], unit, n, limits, where=dict(where), reason=found.reason[at], **more)
