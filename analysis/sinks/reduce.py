"""Measured texts -> sinks.nc: numbers of images and of pairs of images, no tokens; all that statistics and figures need."""

import itertools
import json
from collections.abc import Sequence

import numpy as np
import xarray as xr
from jaxtyping import Float

from analysis.sinks import agreement
from analysis.sinks.names import BOUNDS, COUNTS, GROUPS, KINDS, MAIN, NULLS, PLACES, RESAMPLES, scorers
from analysis.sinks.observation import FEWEST, RECEIVED, RELATIONS, VARIANTS
from analysis.sinks.prediction import Pairs, Text, pairs
from analysis.sinks.targets import EPS, SHARE, WINDOWS
from analysis.stats.bootstrap import cluster_bca
from analysis.stats.concordance import Concordance, auroc
from analysis.stats.finite import finite_mean
from kvsmooth.sinks import Detector
from kvsmooth.spans import GENERATED, IMAGE


def reduce(
    texts: Sequence[Text], images: Sequence[int], detectors: dict[str, Detector], *, level: float = 0.95, seed: int = 0
) -> xr.Dataset:
    """The reduced data of these texts, in the order of `images`.

    Variables (AUROC at the window `MAIN` unless it has a window axis):
    spearman, jaccard "image group pair" (mean over layers); auroc "kind scorer window bound" of pooled and stratified pairs;
    within "image scorer window" and within_pairs "image window"; null_band "null bound scorer window"; shuffled "kind null scorer";
    by_layer "kind scorer layer"; same_token "scorer bound"; absolute "kind scorer bound"; prevalence "label window";
    observed, observed_without_first "image variant relation received" (mean over layers and heads);
    by_head "image received layer head" (Spearman);
    fires "image detector layer place"; counts "image detector layer count"; steps "image".
    """
    names = list(detectors)
    thresholded = [name for name, detector in detectors.items() if detector.threshold is not None]
    which = [names.index(name) for name in thresholded]
    agreed = [_agreement(text) for text in texts]
    counted = pairs(texts, names, WINDOWS, seed)
    observed = np.stack([text["observed"] for text in texts])
    dims = {
        "spearman": ("image", "group", "pair"),
        "jaccard": ("image", "group", "pair"),
        "observed": ("image", "variant", "relation", "received"),
        "observed_without_first": ("image", "variant", "relation", "received"),
        "by_head": ("image", "received", "layer", "head"),
        "fires": ("image", "detector", "layer", "place"),
        "counts": ("image", "detector", "layer", "count"),
        "steps": ("image",),
    }
    values = {
        "spearman": np.stack([one for one, _ in agreed]),
        "jaccard": np.stack([other for _, other in agreed]),
        "observed": finite_mean(observed, (-2, -1)),
        "observed_without_first": finite_mean(np.stack([text["observed_without_first"] for text in texts]), (-2, -1)),
        "by_head": observed[:, VARIANTS.index("observed"), RELATIONS.index("spearman")],
        "fires": np.stack([text["fires"][which] for text in texts]),
        "counts": np.stack([text["counts"][which] for text in texts]),
        "steps": np.array([(text["groups"] == GENERATED).sum() for text in texts], dtype=np.int32),
    }
    layers = texts[0]["scores"].shape[1]
    coords = {
        "image": np.array(images),
        "group": list(GROUPS),
        "pair": [f"{one} {other}" for one, other in itertools.combinations(names, 2)],
        "detector": thresholded,
        "scorer": list(scorers(names)),
        "window": list(WINDOWS),
        "kind": list(KINDS),
        "bound": list(BOUNDS),
        "null": list(NULLS),
        "label": ["top", "absolute"],
        "variant": list(VARIANTS),
        "relation": list(RELATIONS),
        "received": list(RECEIVED),
        "layer": np.arange(layers),
        "head": np.arange(observed.shape[-1]),
        "place": list(PLACES),
        "count": list(COUNTS),
    }
    data = xr.Dataset({name: (dims[name], values[name]) for name in dims} | _prediction(counted, names, level, seed), coords)
    about = {name: {"known": d.known, "unit": d.unit, "threshold": d.threshold} for name, d in detectors.items()}
    return data.assign_attrs(
        detectors=json.dumps(about),
        channels=json.dumps(_channels(texts)),
        width=int(texts[0]["massive"].shape[-1]),
        level=level,
        seed=seed,
        main_window=MAIN,
        share=SHARE,
        eps=EPS,
        fewest=FEWEST,
    )


def _agreement(text: Text) -> tuple[Float[np.ndarray, "group pair"], Float[np.ndarray, "group pair"]]:
    group, scores = text["groups"], np.swapaxes(text["scores"], 0, 1).astype(np.float64)
    chosen = (group == GENERATED, (group != GENERATED) & (group != IMAGE), group == IMAGE)
    upper = np.triu_indices(scores.shape[1], 1)
    found = np.full((2, len(GROUPS), len(upper[0])), np.nan)
    for number, keep in enumerate(chosen):
        if keep.sum() >= FEWEST:
            own = scores[:, :, keep]
            both = agreement.spearman(own), agreement.jaccard(agreement.membership(own))
            found[:, number] = [agreement.mean_over_layers(values)[upper] for values in both]
    return found[0], found[1]


def _prediction(found: Pairs, names: list[str], level: float, seed: int) -> dict[str, tuple[tuple[str, ...], np.ndarray]]:
    scored, images = scorers(names), len(found.within)
    across = np.full((len(KINDS), len(scored), len(WINDOWS), len(BOUNDS)), np.nan)
    absolute, shuffled = np.full((len(KINDS), len(scored), len(BOUNDS)), np.nan), np.full((len(KINDS), len(NULLS), len(scored)), np.nan)
    for kind, table in (("pooled", found.pooled), ("stratified", found.stratified)):
        number = KINDS.index(kind)
        several = _limits([table[name, width] for name in scored for width in WINDOWS], images, level, seed)
        across[number] = several.reshape(len(scored), len(WINDOWS), len(BOUNDS))
        absolute[number] = _limits([found.absolute[kind, name] for name in scored], images, level, seed)
        shuffled[number] = [[found.shuffled[kind, null, name].auroc for name in scored] for null in NULLS]
    with np.errstate(invalid="ignore", divide="ignore"):
        within = found.within / found.within_pairs[:, None]
        null = found.null / found.within_pairs.sum(0)
        prevalence = found.positives / found.tokens
    tail = 100 * (1 - level) / 2
    band = np.stack([null.mean(axis=1), *np.percentile(null, [tail, 100 - tail], axis=1)], axis=1)
    return {
        "auroc": (("kind", "scorer", "window", "bound"), across),
        "within": (("image", "scorer", "window"), within),
        "within_pairs": (("image", "window"), found.within_pairs),
        "null_band": (("null", "bound", "scorer", "window"), band),
        "shuffled": (("kind", "null", "scorer"), shuffled),
        "by_layer": (("kind", "scorer", "layer"), found.by_layer),
        "same_token": (("scorer", "bound"), _limits([found.same_token[name,] for name in scored], images, level, seed)),
        "absolute": (("kind", "scorer", "bound"), absolute),
        "prevalence": (("label", "window"), prevalence),
        "tokens": (("window",), found.tokens),
    }


def _limits(found: list[Concordance], images: int, level: float, seed: int) -> Float[np.ndarray, "quantity bound"]:
    interval = cluster_bca(auroc(found), images, level=level, resamples=RESAMPLES, seed=seed)
    return np.stack([interval.estimate, interval.low, interval.high], axis=-1)


def _channels(texts: Sequence[Text]) -> dict[str, dict[str, float]]:
    """By layer, the share of prompts in which a channel carries massive activations, where there is any."""
    share = np.mean([text["massive"] for text in texts], axis=0)
    return {
        str(layer): {str(channel): round(float(row[channel]), 4) for channel in np.flatnonzero(row)}
        for layer, row in enumerate(share)
        if row.any()
    }
