"""Life tables over ordinal time: at risk, events, ends; and the curves that follow from them, for any number of resamples at once.

Time counts decisions (mentions, tokens) from 1. At each time a subject that is still at risk has the event, ends (the caption is over,
which competes with the event: what was never written cannot be wrong), is lost from view, or goes on.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

CENSORED, EVENT, END, MISSING = 0, 1, 2, -1


@dataclass(frozen=True)
class LifeTable:
    """Numbers of subjects at the times 1 to the last; sums over images and resampled sums look alike.

    Attributes
    ----------
    at_risk : neither had the event, nor ended, nor were lost before this time
    events, ends : at this time
    """

    at_risk: Float[np.ndarray, "*row time"]
    events: Float[np.ndarray, "*row time"]
    ends: Float[np.ndarray, "*row time"]

    @property
    def hazard(self) -> Float[np.ndarray, "*row time"]:
        """Cause-specific: of those at risk, the share that has the event now; NaN where none is at risk."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.events / self.at_risk

    @property
    def survival(self) -> Float[np.ndarray, "*row time"]:
        """Kaplan-Meier, free of the event after this time, if those who end had gone on like the others; level where none is at risk."""
        return np.cumprod(1 - np.nan_to_num(self.hazard), axis=-1)

    @property
    def going_on(self) -> Float[np.ndarray, "*row time"]:
        """Kaplan-Meier of either event or end: still free of both after this time."""
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.cumprod(1 - np.nan_to_num((self.events + self.ends) / self.at_risk), axis=-1)

    @property
    def incidence(self) -> Float[np.ndarray, "*row time"]:
        """Aalen-Johansen: share that has had the event by this time, ends as they come (Aalen & Johansen 1978)."""
        free = self.going_on
        before = np.concatenate([np.ones_like(free[..., :1]), free[..., :-1]], axis=-1)
        return np.cumsum(before * np.nan_to_num(self.hazard), axis=-1)

    @property
    def mean_free(self) -> Float[np.ndarray, "*row"]:
        """Restricted mean: times survived before the event, up to the last, by Kaplan-Meier; area under the curve from time 0."""
        return np.asarray(1 + self.survival[..., :-1].sum(axis=-1))

    @property
    def mean_lost(self) -> Float[np.ndarray, "*row"]:
        """Restricted mean time lost to the event, ends as they come: area under the incidence from time 0 to the last."""
        return np.asarray(self.incidence[..., :-1].sum(axis=-1))


def counts(time: Int[np.ndarray, "*subject"], kind: Int[np.ndarray, "*subject"], horizon: int) -> Float[np.ndarray, "*subject 3 time"]:
    """What each subject adds to at_risk, events and ends at the times 1 to horizon; later ones are censored at the horizon.

    A subject of kind `MISSING` adds nothing. One that is censored at a time was at risk at it.
    """
    grid = np.arange(1, horizon + 1)
    there = (kind != MISSING)[..., None]
    now = (time[..., None] == grid) & there
    return np.stack([(time[..., None] >= grid) & there, now & (kind == EVENT)[..., None], now & (kind == END)[..., None]], axis=-2).astype(
        float
    )


def table(summed: Float[np.ndarray, "*row 3 time"]) -> LifeTable:
    """The life table of summed counts."""
    return LifeTable(summed[..., 0, :], summed[..., 1, :], summed[..., 2, :])
