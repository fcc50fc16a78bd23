"""Arrays of captions -> variables of sinks.nc over the dimension "scene": numbers of images, no tokens."""

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import xarray as xr

from analysis.sinks.anatomy.lifetime import births, by_chance, lifetimes
from analysis.sinks.anatomy.names import HEADS, MEASURES, ONE, OUTLIER, PLACES, SINK, VERSIONS
from analysis.sinks.anatomy.outliers import robust_z
from analysis.sinks.targets import EPS
from analysis.stats.association import within_image
from analysis.stats.finite import finite_mean
from kvsmooth.spans import GENERATED, IMAGE

Text = Mapping[str, np.ndarray]
COMMON = 5
DIMS = {
    "rank_of": ("heads", "measure", "version"),
    "rank_relation": ("measure", "version"),
    "near_one": ("heads",),
    "energy": ("heads",),
    "value_norm": ("heads",),
    "leaning": (),
    "on_first": (),
    "tower_z": ("tower",),
    "tower_ratio": ("tower",),
    "tower_outliers": ("tower",),
    "seen_on": ("patches",),
    "norm_relation": ("given",),
    "norm_contrast": (),
    "secondary": ("region",),
    "born": ("layer",),
    "alive": ("layer",),
    "first_alive": ("layer",),
    "lifetime": (),
    "lifetime_by_chance": (),
}


def reduce(texts: Sequence[Text], images: Sequence[int], read: int | None, written: Callable[[int], str]) -> xr.Dataset:
    """The reduced data of these captions, in the order of `images`.

    Variables over "scene" and what is named (means over heads; of the value's norm the median):
    leaning (share of heads of the class sink), on_first (of these, share whose key is the first token); rank_of "heads measure version",
    near_one, energy, value_norm "heads"; rank_relation "measure version" (Spearman's of share and rank over heads).
    tower_z, tower_ratio (largest), tower_outliers (number) "tower"; seen_on "patches" (mean attention on an outlier, on another patch);
    norm_relation "given" (Spearman's of norm and attention, plain and given contrast), norm_contrast.
    secondary "region", born, alive, first_alive "layer" (numbers of tokens); lifetime, lifetime_by_chance (layers, mean over sinks).
    Without "scene", means over captions: head_share "layer head", head_rank "measure version layer head".

    Parameters
    ----------
    read : the tower's layer that the projector reads
    written : how a token is written
    """
    found = [{**_heads(text), **_tower(text, read), **_secondary(text)} for text in texts]
    data = {name: (("scene", *dims), np.stack([values[name] for values in found])) for name, dims in DIMS.items()}
    data["head_share"] = (("layer", "head"), finite_mean(np.stack([text["share"] for text in texts]), 0))
    data["head_rank"] = (("measure", "version", "layer", "head"), finite_mean(np.stack([text["rank"] for text in texts]), 0))
    coords = {"scene": np.array(images), "heads": list(HEADS), "measure": list(MEASURES), "version": list(VERSIONS), "region": list(PLACES)}
    coords |= {"patches": ["outlier", "other"], "given": ["nothing", "contrast"], "tower": np.arange(len(texts[0]["norms"]))}
    said: Counter[int] = Counter()
    for text in texts:
        said.update(text["tokens"][1:][_sinks(text).any(0)].tolist())
    common = [[written(token), number] for token, number in said.most_common(COMMON)]
    about = {
        "read": -1 if read is None or not len(texts[0]["norms"]) else read,
        "patches": int(texts[0]["norms"].shape[-1]),
        "common": common,
        "tokens": sum(said.values()),
    }
    return xr.Dataset(data, coords, {"anatomy": json.dumps(about)})


def _heads(text: Text) -> dict[str, np.ndarray]:
    share, rank = text["share"].ravel(), text["rank"].reshape(len(MEASURES), len(VERSIONS), -1).astype(float)
    known = np.isfinite(share)
    classes = [known & (share > SINK), known & ~(share > SINK)]

    def mean(values: np.ndarray) -> np.ndarray:
        flat = values.reshape(-1, values.shape[-1])
        return np.stack([finite_mean(flat[:, own], 1) for own in classes]).reshape(len(classes), *values.shape[:-1])

    drain = text["drain"].ravel()
    stable = rank[MEASURES.index("stable"), VERSIONS.index("observed")]
    flat = rank.reshape(-1, rank.shape[-1])
    relation = within_image(flat.T, share, np.zeros(len(share)), kind="spearman")[0] if known.any() else np.full(len(flat), np.nan)
    return {
        "rank_of": mean(rank),
        "rank_relation": relation.reshape(len(MEASURES), len(VERSIONS)),
        "near_one": mean(np.where(np.isfinite(stable), stable < ONE, np.nan)),
        "energy": mean(text["energy"].ravel()),
        "value_norm": np.array([np.median(drain[own]) if own.any() else np.nan for own in classes]),
        "leaning": classes[0].sum() / known.sum() if known.any() else np.array(np.nan),
        "on_first": mean(text["first"].ravel())[0],
    }


def _tower(text: Text, read: int | None) -> dict[str, np.ndarray]:
    norms, seen = text["norms"].astype(float), text["seen"].astype(float).mean(0)
    z = robust_z(norms)
    made = {
        "tower_z": np.array([np.nan if np.isnan(row).all() else np.nanmax(row) for row in z]),
        "tower_ratio": norms.max(-1) / np.median(norms, -1),
        "tower_outliers": (z > OUTLIER).sum(-1).astype(float),
        "seen_on": np.full(2, np.nan),
        "norm_relation": np.full(2, np.nan),
        "norm_contrast": np.array(np.nan),
    }
    if read is None or not len(norms) or not np.isfinite(seen).all():
        return made
    one, own, contrast = np.zeros(len(seen)), norms[read], text["contrast"].astype(float)
    outlier = z[read] > OUTLIER
    made["seen_on"] = np.array([seen[part].mean() if part.any() else np.nan for part in (outlier, ~outlier)])
    made["norm_relation"] = np.array([within_image(own, seen, one, given, kind="spearman")[0] for given in (None, contrast)])
    made["norm_contrast"] = within_image(own, contrast, one, kind="spearman")[0]
    return made


def _sinks(text: Text) -> np.ndarray:
    """Tokens behind the first that some head gives more than `EPS` on average, by layer."""
    return np.nan_to_num(text["received"][:, 1:]) > EPS


def _secondary(text: Text) -> dict[str, np.ndarray]:
    sink, group = _sinks(text), text["groups"][1:]
    born, lived, ever = births(sink), lifetimes(sink), sink.any(0)
    place = np.where(group == GENERATED, 2, np.where(group == IMAGE, 1, 0))
    chance = [by_chance(len(sink), int(number)) for number in sink.sum(0)[ever]]
    return {
        "secondary": np.array([(ever & (place == number)).sum() for number in range(len(PLACES))], dtype=float),
        "born": np.bincount(born[ever], minlength=len(sink)).astype(float),
        "alive": sink.sum(1).astype(float),
        "first_alive": (np.nan_to_num(text["received"][:, 0]) > EPS).astype(float),
        "lifetime": lived[ever].mean() if ever.any() else np.array(np.nan),
        "lifetime_by_chance": np.mean(chance) if chance else np.array(np.nan),
    }
