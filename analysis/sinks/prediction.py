"""Does a score predict which tokens will receive attention? AUROC against the label of `targets`, over images, layers kept apart.

A pair is a token that will receive much and one that will not, of the same layer. Pooled: any two tokens. Within: two tokens of one image.
Stratified: two tokens at the same decoding step, hence of different images, so that a score of position alone gets exactly one half.
Same token: two occurrences of one token id.
"""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float, Int

from analysis.sinks.names import MAIN, NULLS, scorers
from analysis.sinks.targets import EPS, labels
from analysis.stats.concordance import Concordance, auroc_of_labels, concordance

DRAWS = 99
Text = Mapping[str, np.ndarray]


@dataclass
class Pairs:
    """What the tokens of all images add up to, summed over layers.

    Attributes
    ----------
    pooled, stratified : by (scorer, window)
    within, within_pairs : concordant pairs of each image, "image scorer window", and all of them, "image window"
    null : concordant pairs within images under each null, "null draw scorer window", summed over images
    by_layer : "kind scorer layer" AUROC at the window `MAIN`, kinds pooled, within, stratified
    shuffled : AUROC of one draw of each null at `MAIN`, "null scorer", pooled and stratified
    same_token : pairs of one token id at `MAIN`, by scorer: what is left of a score when the token itself says nothing
    absolute : pooled and stratified concordance of the absolute label at `MAIN`, by (kind, scorer)
    positives : tokens by label, "label window", summed over layers and images, and how many tokens there were
    """

    pooled: dict[tuple[str, int], Concordance] = field(default_factory=dict)
    stratified: dict[tuple[str, int], Concordance] = field(default_factory=dict)
    within: np.ndarray = field(default_factory=lambda: np.empty(0))
    within_pairs: np.ndarray = field(default_factory=lambda: np.empty(0))
    null: np.ndarray = field(default_factory=lambda: np.empty(0))
    by_layer: np.ndarray = field(default_factory=lambda: np.empty(0))
    shuffled: dict[tuple[str, str, str], Concordance] = field(default_factory=dict)
    same_token: dict[tuple[str], Concordance] = field(default_factory=dict)
    absolute: dict[tuple[str, str], Concordance] = field(default_factory=dict)
    positives: np.ndarray = field(default_factory=lambda: np.empty(0))
    tokens: np.ndarray = field(default_factory=lambda: np.empty(0))


@dataclass(frozen=True)
class LayerTokens:
    """The tokens of one layer that have a value at one window, all images in a row."""

    scores: Mapping[str, Float[np.ndarray, " token"]]
    positive: Bool[np.ndarray, " token"]
    absolute: Bool[np.ndarray, " token"]
    image: Int[np.ndarray, " token"]
    step: Int[np.ndarray, " token"]
    tokens: Int[np.ndarray, " token"]


def layer_of(texts: Sequence[Text], detectors: Sequence[str], layer: int, window: int) -> LayerTokens:
    """Flatten one layer at the `window`-th window; tokens with too few later queries are left out."""
    kept = [~np.isnan(text["received"][window, layer]) for text in texts]
    written = [len(keep) for keep in kept]
    image = np.concatenate([np.full(keep.sum(), number) for number, keep in enumerate(kept)])
    step = np.concatenate([np.flatnonzero(keep) for keep in kept])
    positive = np.concatenate([labels(t["received"][window, layer])[keep] for t, keep in zip(texts, kept, strict=True)])
    absolute = np.concatenate([t["received_most"][window, layer][keep] > EPS for t, keep in zip(texts, kept, strict=True)])
    # counted from the front: [-0:] would be everything, and a caption of one token has fed none
    own = [t["scores"][:, layer, t["scores"].shape[2] - length :][:, keep] for t, length, keep in zip(texts, written, kept, strict=True)]
    values = np.concatenate(own, axis=1)
    tokens = np.concatenate([t["tokens"][len(t["tokens"]) - length :][keep] for t, length, keep in zip(texts, written, kept, strict=True)])
    scores = dict(zip(detectors, values, strict=True)) | {
        "position": -step.astype(float),
        "token": others_rate(tokens, positive, image, len(texts)),
    }
    return LayerTokens(scores, positive, absolute, image, step, tokens)


def others_rate(
    tokens: Int[np.ndarray, " token"], positive: Bool[np.ndarray, " token"], image: Int[np.ndarray, " token"], images: int
) -> Float[np.ndarray, " token"]:
    """Share of positives among the same token's occurrences in the other images, drawn to the overall share by one occurrence."""
    kind = np.unique(tokens, return_inverse=True)[1].reshape(-1)
    kinds = int(kind.max(initial=0)) + 1
    shape = (images, kinds)
    number = np.bincount(image * kinds + kind, minlength=images * kinds).reshape(shape)
    hits = np.bincount(image * kinds + kind, weights=positive, minlength=images * kinds).reshape(shape)
    overall = positive.mean() if len(positive) else 0.0
    return ((hits.sum(0) - hits + overall) / (number.sum(0) - number + 1))[image, kind]


def pairs(texts: Sequence[Text], detectors: Sequence[str], windows: Sequence[int], seed: int = 0, progress: bool = True) -> Pairs:
    """Count the pairs of every score, window and layer; see `Pairs`."""
    from tqdm import tqdm

    names, images, layers = scorers(detectors), len(texts), texts[0]["scores"].shape[1]
    found = Pairs(
        within=np.zeros((images, len(names), len(windows))),
        within_pairs=np.zeros((images, len(windows))),
        null=np.zeros((len(NULLS), DRAWS, len(names), len(windows))),
        by_layer=np.full((3, len(names), layers), np.nan),
        positives=np.zeros((2, len(windows))),
        tokens=np.zeros(len(windows)),
    )
    with tqdm(total=layers * len(windows), desc="prediction", unit="layer", disable=None if progress else True) as bar:
        for number, width in enumerate(windows):
            for layer in range(layers):
                data = layer_of(texts, detectors, layer, number)
                found.positives[:, number] += data.positive.sum(), data.absolute.sum()
                found.tokens[number] += len(data.image)
                inside = _within(found, data, names, number, (seed, width))
                _across(found, data, names, width, images)
                if width == MAIN:
                    _in_layer(found, data, names, layer, inside, seed)
                bar.update()
    return found


def _add(table: dict, key: tuple, value: Concordance) -> None:
    table[key] = table[key] + value if key in table else value


def _across(found: Pairs, data: LayerTokens, names: Sequence[str], width: int, images: int) -> None:
    for name in names:
        _add(found.pooled, (name, width), concordance(data.scores[name], data.positive, data.image, images))
        _add(found.stratified, (name, width), concordance(data.scores[name], data.positive, data.image, images, data.step))


def _within(found: Pairs, data: LayerTokens, names: Sequence[str], number: int, seed: tuple[int, ...]) -> Float[np.ndarray, " scorer"]:
    """Pairs of one image, for the labels as they are and for both nulls; returns this layer's AUROC of each scorer.

    An image's orders and turns are the same in every layer, as its labels are alike: what a null exchanges is a caption.
    """
    scores = np.stack([data.scores[name] for name in names])
    starts = np.searchsorted(data.image, np.arange(len(found.within) + 1))
    before, counted = found.within[:, :, number].sum(0), 0.0
    for image, (start, stop) in enumerate(itertools.pairwise(starts)):
        label, size = data.positive[start:stop], stop - start
        if not size or not label.any() or label.all():
            continue
        draw = np.random.default_rng([*seed, image])
        order = draw.permuted(np.tile(np.arange(size), (DRAWS, 1)), axis=1)
        turned = (np.arange(size) - draw.integers(0, size, (DRAWS, 1))) % size
        share = auroc_of_labels(scores[:, start:stop], np.concatenate([label[None], label[order], label[turned]]))
        weight = float(label.sum() * (~label).sum())
        found.within[image, :, number] += share[:, 0] * weight
        found.within_pairs[image, number] += weight
        found.null[0, :, :, number] += share[:, 1 : DRAWS + 1].T * weight
        found.null[1, :, :, number] += share[:, DRAWS + 1 :].T * weight
        counted += weight
    with np.errstate(invalid="ignore"):
        return (found.within[:, :, number].sum(0) - before) / counted if counted else np.full(len(names), np.nan)


def _in_layer(found: Pairs, data: LayerTokens, names: Sequence[str], layer: int, inside: np.ndarray, seed: int) -> None:
    """This layer by itself at the main window, its nulls, and the absolute label."""
    images = len(found.within)
    bounds = np.searchsorted(data.image, np.arange(images + 1))
    permuted, shifted = data.positive.copy(), data.positive.copy()
    for image, (start, stop) in enumerate(itertools.pairwise(bounds)):
        draw = np.random.default_rng([seed, image])  # the same in every layer
        permuted[start:stop] = draw.permutation(permuted[start:stop])
        shifted[start:stop] = np.roll(shifted[start:stop], draw.integers(0, max(stop - start, 1)))
    for number, name in enumerate(names):
        score = data.scores[name]
        for kind, stratum in (("pooled", None), ("stratified", data.step)):
            own = concordance(score, data.positive, data.image, images, stratum)
            found.by_layer[(0 if kind == "pooled" else 2), number, layer] = own.auroc
            _add(found.absolute, (kind, name), concordance(score, data.absolute, data.image, images, stratum))
            for null, label in zip(NULLS, (permuted, shifted), strict=True):
                _add(found.shuffled, (kind, null, name), concordance(score, label, data.image, images, stratum))
        found.by_layer[1, number, layer] = inside[number]
        _add(found.same_token, (name,), concordance(score, data.positive, data.image, images, data.tokens))
