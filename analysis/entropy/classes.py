"""Row entropy by token class: one mean a class, image, layer and head; tokens of a class are never treated as independent."""

import numpy as np
import xarray as xr
from jaxtyping import Bool, Float, Int

from analysis.entropy.names import CLASSES, CONTRASTS, MEASURES


def reduce_classes(
    recording: xr.Dataset, token_class: Int[np.ndarray, "arm image step"], in_band: Bool[np.ndarray, " layer"]
) -> xr.Dataset:
    """Per image: entropy of each class (mean over heads), by layer and for the band; each head's mean and its contrast of punctuation.

    Variables
    ---------
    class_mean : "arm measure class image place"; places are the layers and "band"
    head_mean : "arm image layer head", share of ln n, all classes
    head_contrast : "arm image layer head", nat, centred, punctuation minus words
    tokens : "arm class image"
    """
    dims = ("arm", "image", "step", "layer", "head")
    entropy = recording["row_entropy"].transpose(*dims).values
    keys = recording["n_keys"].transpose(*dims[:-1]).values[..., None]
    with np.errstate(invalid="ignore", divide="ignore"):
        share = entropy / np.where(keys > 1, np.log(keys), np.nan)
    readings = {"raw": entropy, "share": share, "centred": centred(np.where((token_class >= 0)[..., None, None], entropy, np.nan))}
    member = np.stack([token_class == number for number in range(len(CLASSES))], axis=2).astype(np.float32)  # "arm image class step"
    count = member.sum(axis=-1)
    by_class = {name: class_means(values.mean(axis=-1), member) for name, values in readings.items()}
    mean = np.stack([with_band(by_class[name], in_band) for name in MEASURES], axis=1)  # "arm measure image class place"
    upper, lower = (_joined(readings["centred"], member, chosen) for chosen in CONTRASTS["punctuation - words"])
    every = _joined(readings["share"], member, CLASSES)
    layers = [str(layer) for layer in recording["layer"].values]
    return xr.Dataset(
        {
            "class_mean": (("arm", "measure", "class", "image", "place"), mean.transpose(0, 1, 3, 2, 4).astype(np.float32)),
            "head_mean": (("arm", "image", "layer", "head"), every.astype(np.float32)),
            "head_contrast": (("arm", "image", "layer", "head"), (upper - lower).astype(np.float32)),
            "tokens": (("arm", "class", "image"), count.transpose(0, 2, 1).astype(np.int32)),
        },
        coords={
            "arm": recording["arm"].values,
            "measure": list(MEASURES),
            "class": list(CLASSES),
            "image": recording["image"].values,
            "place": [*layers, "band"],
            "layer": recording["layer"].values,
            "head": recording["head"].values,
        },
    )


def centred(values: Float[np.ndarray, "arm image step layer head"]) -> Float[np.ndarray, "arm image step layer head"]:
    """Values minus their mean over the images that are still generating at that step.

    A class that stands always at one step is thereby compared with itself, which makes contrasts of classes cautious, not large.
    """
    known = np.isfinite(values)
    total, count = np.where(known, values, 0.0).sum(axis=1, keepdims=True), known.sum(axis=1, keepdims=True)
    with np.errstate(invalid="ignore", divide="ignore"):
        return values - total / count


def class_means(
    values: Float[np.ndarray, "arm image step *rest"], member: Float[np.ndarray, "arm image class step"]
) -> Float[np.ndarray, "arm image class *rest"]:
    """Mean of the values of each class's tokens; NaN where a caption has none of it."""
    flat = values.reshape(*values.shape[:3], -1)
    known = np.isfinite(flat)
    top = member @ np.where(known, flat, 0.0)
    bottom = member @ known.astype(np.float32)
    with np.errstate(invalid="ignore", divide="ignore"):
        return (top / bottom).reshape(*top.shape[:3], *values.shape[3:])


def contrast(data: xr.Dataset, measure: str, name: str) -> Float[np.ndarray, "arm image place"]:
    """A contrast of CONTRASTS by image: difference of the means of all tokens of either side."""
    parts = []
    for chosen in CONTRASTS[name]:
        count = data["tokens"].sel({"class": list(chosen)})
        mean = data["class_mean"].sel({"measure": measure, "class": list(chosen)})
        total = (mean.fillna(0) * count).sum("class") / count.sum("class").where(count.sum("class") > 0)
        parts.append(total.where(mean.notnull().any("class")).transpose("arm", "image", "place").values.astype(float))
    return parts[0] - parts[1]


def with_band(values: Float[np.ndarray, "*rest layer"], in_band: Bool[np.ndarray, " layer"]) -> Float[np.ndarray, "*rest place"]:
    """The layers, and the mean of the smoothed ones after them."""
    return np.concatenate([values, values[..., in_band].mean(axis=-1, keepdims=True)], axis=-1)


def _joined(values: np.ndarray, member: np.ndarray, chosen: tuple[str, ...]) -> Float[np.ndarray, "arm image layer head"]:
    together = member[:, :, [CLASSES.index(name) for name in chosen]].sum(axis=2, keepdims=True)
    return class_means(values, together)[:, :, 0]
