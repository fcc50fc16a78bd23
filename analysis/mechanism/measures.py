"""What the paper's mechanism says changes on the same tokens, one number an image and arm: means over the smoothed layers."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from jaxtyping import Float

from analysis.drift.quantities import QUANTITIES
from analysis.stats.finite import finite_mean
from analysis.stats.trend import theil_sen

PER_TOKENS = 100


@dataclass(frozen=True)
class MechanismMeasure:
    """One measure.

    Attributes
    ----------
    label, unit : as figures and tables call it
    short : as a panel calls it
    quantity : of `analysis.drift.quantities`; "" for one of objects
    slope : the slope over a caption's steps, per 100 tokens, in place of the mean
    objects : the set of objects (`analysis.objects.names.SETS`) whose log-probability has the slope
    sign : which way the paper's mechanism moves it; 0: it says nothing of it
    least : the smallest change that counts, a share of the value without smoothing: an angle that moves by less explains nothing
    """

    label: str
    short: str
    unit: str
    quantity: str = ""
    slope: bool = False
    objects: str = ""
    sign: int = 0
    least: float = 0.0


MEASURES = {
    "entropy": MechanismMeasure("row entropy", "row entropy", "nat", "entropy"),
    "excess": MechanismMeasure(
        "attention on the image beyond dilution, slope", "image beyond dilution", "ln per 100 tokens", "excess_image", slope=True, sign=1
    ),
    "mass": MechanismMeasure("attention on the image", "attention on image", "1", "mass_image", sign=1),
    "angle": MechanismMeasure("angle to the image", "angle to image", "rad", "drift_image", sign=-1, least=0.01),
    "present": MechanismMeasure(
        "log-probability of objects that are there, until said, slope",
        "log p, objects there",
        "nat per 100 tokens",
        objects="present unsaid",
        sign=1,
    ),
    "hallucinated": MechanismMeasure(
        "log-probability of hallucinated objects, until said, slope",
        "log p, hallucinated",
        "nat per 100 tokens",
        objects="hallucinated unsaid",
        sign=-1,
    ),
}
SIGNATURE = ("excess", "angle")
"""Both together are called the mechanism's signature."""
OF_STATES = tuple(name for name, measure in MEASURES.items() if not measure.objects)
OF_OBJECTS = tuple(name for name, measure in MEASURES.items() if measure.objects)


def measured(recording: xr.Dataset, band: list[int]) -> Float[np.ndarray, "arm image measure"]:
    """Each measure of attention and states, over the steps from 1 on that a caption has; NaN where it has too few."""
    made = []
    for measure in (MEASURES[name] for name in OF_STATES):
        values = QUANTITIES[measure.quantity].of(recording).transpose("arm", "image", "step", "layer").sel(layer=band).values.astype(float)
        series = finite_mean(np.where(np.isfinite(values), values, np.nan), axis=-1)[:, :, 1:]
        if measure.slope:
            made.append(PER_TOKENS * np.stack([theil_sen(arm.T) for arm in series]))
        else:
            made.append(finite_mean(series, axis=-1))
    return np.stack(made, axis=-1)
