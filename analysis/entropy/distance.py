"""Is row entropy high where the hidden state is near, or far from, a reference? Rank correlations within each caption, position taken out.

Entropy and angles both change along a caption, so each caption's correlation is also given partial on the step: Spearman's on what a
straight line over the steps leaves of both ranks. Neighbouring tokens resemble each other; the null therefore turns the entropies round the
caption by random shifts, which keeps how they vary from token to token, and breaks only their tie to the states.
"""

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Int
from scipy.stats import rankdata

from analysis.entropy.classes import with_band
from analysis.entropy.names import CLASSES, FEWEST, REFERENCES

DRAWS = 1999
FROM = 2  # the first step with a mean of earlier generated states


def reduce_distance(
    recording: xr.Dataset, token_class: Int[np.ndarray, "arm image step"], in_band: Bool[np.ndarray, " layer"], *, seed: int = 0
) -> xr.Dataset:
    """Per image: Spearman of entropy (mean over heads) and each angle, by layer and for the band; within classes for the band only.

    Variables
    ---------
    rho : "arm reference kind image place", kind "plain" or "partial"
    rho_class : "arm reference class image", partial, band
    shift_mean, shift_low, shift_high, shift_p : "arm reference place", the partial correlation's mean over images under random shifts:
        its mean, its central 95 %, and the two-sided p of what was seen
    """
    references = [name for name in REFERENCES if name in recording]
    entropy = with_band(recording["row_entropy"].transpose("arm", "image", "step", "layer", "head").values.mean(axis=-1), in_band)
    angles = np.stack([with_band(_angle(recording, name), in_band) for name in references], axis=3)  # "arm image step reference place"
    arms, images, _, places = entropy.shape
    rho = np.full((arms, len(references), 2, images, places), np.nan)
    by_class = np.full((arms, len(references), len(CLASSES), images), np.nan)
    null = np.full((arms, 4, len(references), places), np.nan)
    for arm in range(arms):
        draw = np.random.default_rng(seed)
        total, count, seen = np.zeros((DRAWS, len(references), places)), 0, np.zeros((len(references), places))
        for image in range(images):
            known = (token_class[arm, image] >= 0) & np.isfinite(entropy[arm, image]).all(-1)
            known &= np.isfinite(angles[arm, image]).all((-2, -1))
            known[:FROM] = False
            steps = np.flatnonzero(known)
            if len(steps) < FEWEST:
                continue
            x, y = entropy[arm, image, steps], angles[arm, image, steps]
            plain, shifted = rank_correlations(x, y, steps)
            rho[arm, :, 0, image], rho[arm, :, 1, image] = plain, shifted[0]
            by_class[arm, :, :, image] = _within_classes(x[:, -1], y[..., -1], steps, token_class[arm, image, steps])
            if np.isfinite(shifted).all():
                total += shifted[draw.integers(1, len(steps), DRAWS)]
                seen += shifted[0]
                count += 1
        if count:
            null[arm] = _against(seen / count, total / count)
    out = {"rho": (("arm", "reference", "kind", "image", "place"), rho), "rho_class": (("arm", "reference", "class", "image"), by_class)}
    out |= {f"shift_{name}": (("arm", "reference", "place"), null[:, i]) for i, name in enumerate(("mean", "low", "high", "p"))}
    coords = {"reference": references, "kind": ["plain", "partial"], "class": list(CLASSES), "image": recording["image"].values}
    coords |= {"arm": recording["arm"].values, "place": [*(str(layer) for layer in recording["layer"].values), "band"]}
    return xr.Dataset({name: (dims, values.astype(np.float32)) for name, (dims, values) in out.items()}, coords)


def rank_correlations(
    x: Float[np.ndarray, "step place"], y: Float[np.ndarray, "step reference place"], steps: Int[np.ndarray, " step"]
) -> tuple[Float[np.ndarray, "reference place"], Float[np.ndarray, "shift reference place"]]:
    """Spearman's rho, and the partial one on the step for every turn of x round the caption; turn 0 is none.

    All turns at once: sums of products over all turns are one circular correlation (FFT). The rank of a turned series is the turned rank.
    """
    own, other = _standard(rankdata(x, axis=0)), _standard(rankdata(y, axis=0))
    time = _standard(rankdata(steps).astype(float)[:, None])
    plain = np.einsum("sp,srp->rp", own, other)
    left = other - time[:, :, None] * np.einsum("st,srp->trp", time, other)
    with np.errstate(invalid="ignore", divide="ignore"):
        left = left / np.sqrt((left**2).sum(axis=0))
    top = _turned(own[:, None, :], left)
    slope = _turned(own, time)
    with np.errstate(invalid="ignore", divide="ignore"):
        return plain, top / np.sqrt(np.maximum(1 - slope**2, 1e-12))[:, None, :]


def _turned(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Sum over s of x[s - k] y[s], for every k, along the first axis."""
    n = len(x)
    return np.fft.irfft(np.conj(np.fft.rfft(x, axis=0)) * np.fft.rfft(y, axis=0), n=n, axis=0)


def _standard(values: np.ndarray) -> np.ndarray:
    """Mean zero and length one along the first axis; NaN where constant."""
    moved = values - values.mean(axis=0)
    size = np.sqrt((moved**2).sum(axis=0))
    return moved / np.where(size > 0, size, np.nan)


def _within_classes(x: np.ndarray, y: np.ndarray, steps: np.ndarray, token_class: np.ndarray) -> Float[np.ndarray, "reference class"]:
    found = np.full((y.shape[1], len(CLASSES)), np.nan)
    for number in range(len(CLASSES)):
        own = token_class == number
        if own.sum() >= FEWEST:
            found[:, number] = rank_correlations(x[own, None], y[own][..., None], steps[own])[1][0, :, 0]
    return found


def _against(seen: np.ndarray, null: np.ndarray) -> Float[np.ndarray, "4 reference place"]:
    middle = null.mean(axis=0)
    reached = (np.abs(null - middle) >= np.abs(seen - middle) - 1e-12).sum(axis=0)
    return np.stack([middle, *np.percentile(null, [2.5, 97.5], axis=0), (reached + 1) / (len(null) + 1)])


def _angle(recording: xr.Dataset, name: str) -> Float[np.ndarray, "arm image step layer"]:
    """An angle in rad; without the sink channels, where both readings were recorded."""
    values = recording[name]
    if "channels" in values.dims:
        values = values.sel(channels="masked")
    return values.transpose("arm", "image", "step", "layer").values
