"""What the drift question looks at: each quantity is one line of arithmetic on a recording, with its unit and label.

Heads are averaged here: attention statistics of one token in one layer are one observation, not as many as there are heads.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import xarray as xr

GROUPS = ("bos", "system", "image", "prompt", "generated", "self")


@dataclass(frozen=True)
class Quantity:
    """A quantity over arm, image, step and layer.

    Attributes
    ----------
    name, unit, label : key in the files, unit, axis label
    needs : variables of the recording that it reads
    of : recording -> DataArray "arm image step layer" (extra dimensions already averaged)
    """

    name: str
    unit: str
    label: str
    needs: tuple[str, ...]
    of: Callable[[xr.Dataset], xr.DataArray]


def visual_mass(recording: xr.Dataset, group: str) -> xr.DataArray:
    """Share of the attention row that falls on one group of keys, mean over heads."""
    return recording["mass"].sel(group=group).mean("head")


def dilution(recording: xr.Dataset, group: str = "image") -> xr.DataArray:
    """What uniform attention over the same keys would give a group: its share of the visible keys."""
    return recording["group_keys"].sel(group=group) / recording["n_keys"]


def log_excess(recording: xr.Dataset) -> xr.DataArray:
    """Logarithm of visual mass over its dilution null: 0 is uniform attention, and growth of the context alone leaves it there."""
    mass, null = visual_mass(recording, "image"), dilution(recording)
    return np.log(mass.where(mass > 0) / null.where(null > 0))  # type: ignore[return-value]  # numpy does not say that it keeps DataArrays


def entropy_without_bos(recording: xr.Dataset) -> xr.DataArray:
    """Row entropy of the same rows without the token that begins the text, nat, mean over heads; the rest of the row sums to one again.

    Nothing need be recorded anew: with p the mass on that one token, H' = (H + p ln p) / (1 - p) + ln(1 - p). A text without such a token
    has p = 0 and H' = H. NaN where the token has all of a row.
    """
    p = recording["mass"].sel(group="bos", drop=True)
    others = (1 - p).where(p < 1)
    own = p * np.log(p.where(p > 0, 1.0))
    return ((recording["row_entropy"] + own) / others + np.log(others)).mean("head")


def _drift(to: str, channels: str, label: str) -> Quantity:
    name = f"drift_{to}" if channels == "masked" else f"drift_{to}_all"
    variable = f"drift_{to}"
    return Quantity(name, "rad", label, (variable,), lambda recording: recording[variable].sel(channels=channels))


def _plain(name: str, unit: str, label: str) -> Quantity:
    return Quantity(name, unit, label, (name,), lambda recording: recording[name])


_ALL = (
    Quantity("entropy", "nat", "row entropy (nat)", ("row_entropy",), lambda r: r["row_entropy"].mean("head")),
    Quantity(
        "entropy_share",
        "1",
        "row entropy / ln(keys)",
        ("row_entropy", "n_keys"),
        lambda r: r["row_entropy"].mean("head") / np.log(r["n_keys"].where(r["n_keys"] > 1)),
    ),
    Quantity("entropy_without_bos", "nat", "row entropy without BOS (nat)", ("row_entropy", "mass"), entropy_without_bos),
    *(Quantity(f"mass_{group}", "1", f"mass on {group}", ("mass",), partial(visual_mass, group=group)) for group in GROUPS),
    Quantity("dilution_image", "1", "uniform attention", ("group_keys", "n_keys"), dilution),
    Quantity("excess_image", "ln", "ln(visual mass / dilution)", ("mass", "group_keys", "n_keys"), log_excess),
    *(
        _drift(to, channels, f"angle to {words}{' (all channels)' if channels == 'all' else ''} (rad)")
        for channels in ("masked", "all")
        for to, words in (("step", "previous step"), ("image", "image mean"), ("prompt", "last prompt token"))
    ),
    _plain("norm_hidden", "1", "norm of hidden state"),
    _plain("norm_key", "1", "norm of key"),
    _plain("norm_value", "1", "norm of value"),
    _plain("rate", "1", "smoothing rate $\\lambda$"),
    _plain("change_key", "1", "relative change of key"),
    _plain("change_value", "1", "relative change of value"),
)
QUANTITIES = {quantity.name: quantity for quantity in _ALL}

# described, never compared between arms: what only a smoothed arm has, and the null that knows nothing of attention
SMOOTHING = ("rate", "change_key", "change_value")
SHARES = ("share_floor", "share_ceiling")  # of an image's rates on the lower and the upper clip
DESCRIBED = (*SMOOTHING, *SHARES, "dilution_image")
# tested for a trend over steps as well
TRENDS = ("entropy", "mass_image", "excess_image", "drift_step", "drift_image", "drift_prompt")


def available(recording: xr.Dataset) -> list[Quantity]:
    """The quantities whose variables the recording holds."""
    return [quantity for quantity in QUANTITIES.values() if all(name in recording for name in quantity.needs)]
