"""Are hidden states a random walk, h_t = h_{t-1} + noise, as the derivation of a moving average from maximum a posteriori assumes?

Of a walk, the mean squared displacement grows in proportion to the lag, increments are uncorrelated, and the variance ratio
VR(k) = MSD(k) / (k MSD(1)) is 1 (Lo & MacKinlay 1988). Of white noise round a fixed mean, the displacement does not grow at all,
VR(k) = 1/k, and neighbouring increments have the autocorrelation -1/2.
"""

from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float


def reduce_walk(recording: xr.Dataset, in_band: Bool[np.ndarray, " layer"], min_steps: int) -> xr.Dataset:
    """Per image: mean squared displacement, that of one step over the same steps, and products of increments.

    Steps whose displacement reaches back to the prompt are left out. In the band the layers' squared lengths are added, after each was
    divided by the layer's own mean squared increment over all images and both arms, so that no layer decides by its scale.

    Variables, all "arm image place lag", places are the layers and "band"
    ---------
    displacement : mean over steps of |h_t - h_{t-lag}|^2
    increment : mean of |h_t - h_{t-1}|^2 over the same steps
    product : mean of <h_t - h_{t-1}, h_{t-lag} - h_{t-lag-1}>
    increment_product : mean of |h_t - h_{t-1}|^2 over the steps of `product`
    """
    dims = ("arm", "image", "step", "layer", "lag")
    lags = recording["lag"].values
    moved, product = (recording[name].transpose(*dims).values.astype(float) for name in ("displacement", "increment_product"))
    step = recording["step"].values
    short = np.isfinite(moved[..., :1]).any(axis=-2).sum(axis=2) + 1 < min_steps  # "arm image 1"
    single = moved[..., [int(np.flatnonzero(lags == 1)[0])]]
    inside = step[:, None] - lags > 0, step[:, None] - lags - 1 > 0
    found = {}
    for name, values, reach in (("displacement", moved, inside[0]), ("product", product, inside[1])):
        used = np.isfinite(values) & np.isfinite(single) & reach[:, None, :] & ~short[:, :, None, None]
        found[name] = _mean(values, used)
        found["increment" if name == "displacement" else "increment_product"] = _mean(np.broadcast_to(single, values.shape), used)
    scale = np.nanmean(found["increment"][..., 0], axis=(0, 1))[:, None] if np.isfinite(found["increment"]).any() else 1.0
    banded = {
        name: np.concatenate([values, (values / scale)[:, :, in_band].mean(axis=2, keepdims=True)], axis=2)
        for name, values in found.items()
    }
    coords: dict[str, Any] = {"arm": recording["arm"].values, "image": recording["image"].values, "lag": lags}
    coords["place"] = [*(str(layer) for layer in recording["layer"].values), "band"]
    return xr.Dataset({name: (("arm", "image", "place", "lag"), values.astype(np.float32)) for name, values in banded.items()}, coords)


def slopes(displacement: Float[np.ndarray, "*rest lag"], lags: Float[np.ndarray, " lag"]) -> Float[np.ndarray, "*rest"]:
    """Least-squares slope of ln MSD on ln lag: 1 for a walk, 0 for noise round a mean; NaN unless every lag has a value."""
    x = np.log(lags) - np.log(lags).mean()
    with np.errstate(invalid="ignore", divide="ignore"):
        return (np.log(displacement) * x).sum(axis=-1) / (x**2).sum()


def best_rate(autocorrelation: Float[np.ndarray, "*rest"]) -> Float[np.ndarray, "*rest"]:
    """Rate of the exponential moving average that filters a walk seen through white noise best, from increments' lag-1 autocorrelation.

    For s_t = s_{t-1} + q, h_t = s_t + r the increments of h are a moving average of order one with coefficient -rate, and
    rho_1 = -rate / (1 + rate^2) (Muth 1960): 0, no smoothing, at rho_1 = 0; 1, the mean of all, at -1/2. No positive rho_1 comes of such a
    process; 0 is given. The process is only one that fits rho_1: its autocorrelations at lags above 1 are zero, which is to be checked.
    """
    rho = np.clip(autocorrelation, -0.5, 0.0)
    with np.errstate(invalid="ignore", divide="ignore"):
        rate = (1 - np.sqrt(1 - 4 * rho**2)) / (2 * np.abs(rho))
    return np.where(rho == 0, 0.0, rate)


def _mean(values: Float[np.ndarray, "arm image step layer lag"], used: np.ndarray) -> Float[np.ndarray, "arm image layer lag"]:
    count = used.sum(axis=2)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(used, values, 0.0).sum(axis=2) / np.where(count > 0, count, np.nan)
