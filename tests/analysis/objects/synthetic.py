"""Recordings with an object lens whose truth is planted: levels and trends by class, what being said does, entropy and its company."""

import numpy as np
import xarray as xr
from scipy.special import ndtr

from analysis.metrics.chair import ground_truth

ARMS = ("baseline", "kvsmooth")
NAMES = (
    *("cat", "dog", "bird", "couch", "chair", "book"),
    *("horse", "sheep", "cow", "bear", "zebra", "giraffe"),
    *("car", "bus", "truck", "train", "bicycle", "boat"),
    *("pizza", "cake", "banana", "apple", "bowl", "cup"),
)
KIND = 6  # objects of one kind of scene
HAS = 4  # of which an image has so many
WORDS = 200  # of the vocabulary


def annotations(images=24, seed=0):
    """COCO's instances format: every image has four objects of one of four kinds."""
    draw = np.random.default_rng([seed, 1])
    found = []
    for image in range(images):
        first = KIND * (image % (len(NAMES) // KIND))
        found += [{"image_id": image, "category_id": int(o)} for o in first + draw.permutation(KIND)[:HAS]]
    return {
        "images": [{"id": image} for image in range(images)],
        "categories": [{"id": i, "name": name} for i, name in enumerate(NAMES)],
        "annotations": found,
    }


def present_of(images=24, seed=0):
    """Whether an image has an object."""
    truth = ground_truth(annotations(images, seed))
    return np.array([[name in truth[image] for name in NAMES] for image in range(images)])


def recording(
    images=24,
    steps=60,
    layers=6,
    seed=0,
    regime="free",
    trend=None,
    treated_trend=None,
    spread_trend=0.0,
    peak=6.0,
    drop=0.0,
    shift_trend=0.0,
    coupling=0.0,
    specific=0.0,
    position=0.0,
    rho=0.5,
    lengths=None,
    sink=False,
):
    """A merged recording in the schema, of two arms.

    Every image's caption says three of its objects and one of its kind that it lacks, early to late. The logit of an object is 4 (present),
    1 (hallucinated) or 0, plus AR(1) noise, plus `trend[class]` a step (class: present, hallucinated, absent; `treated_trend` is added in
    the second arm). It is `peak` higher at the step that says the object, and `drop` lower afterwards. All logits of a step share noise and
    `shift_trend` a step. The entropy of a row is 3 nat, AR(1), `coupling` times a noise that all objects' logits get as well (those of
    present and hallucinated ones `specific` times more), and `position` times a curve of the step that every rank follows too. With `sink`
    the first token has a share of each row that is drawn anew at each step, and that is the entropy of the rest of the row.
    """
    draw = np.random.default_rng([seed, 2, regime == "replay"])
    trend, treated_trend = trend or {}, treated_trend or {}
    present = present_of(images, seed)
    shape = (2, images, steps, len(NAMES))
    n_steps = np.broadcast_to(np.array(steps if lengths is None else lengths), (2, images)).astype(int)
    alive = np.arange(steps) < n_steps[..., None]

    def noise(size):
        values = draw.normal(size=size)
        for t in range(1, steps):
            values[:, :, t] = rho * values[:, :, t - 1] + np.sqrt(1 - rho**2) * values[:, :, t]
        return values

    step = np.arange(steps)
    common = noise((2, images, steps))  # what entropy and ranks may share
    curve = np.tanh((step - steps / 2) / (steps / 6))
    logit = noise(shape) * (1 + spread_trend * step[:, None]) + coupling * common[..., None] - 2 * position * curve[:, None]
    words = np.full((2, images, steps), "so", dtype=object)
    for image in range(images):
        own = np.flatnonzero(present[image])
        first = KIND * (image % (len(NAMES) // KIND))
        absent = next(o for o in range(first, first + KIND) if not present[image, o])
        for arm in range(2):
            said = [*draw.permutation(own)[:3].tolist(), absent]
            places = np.sort(draw.permutation(np.arange(10, steps - 4))[:4])
            for t, o in zip(places, said, strict=True):
                if t < n_steps[arm, image] - 1:
                    words[arm, image, t] = NAMES[o]
                    logit[arm, image, t, o] += peak
                    logit[arm, image, t + 1 :, o] -= drop
        for kind, which, level in (("present", own, 4), ("hallucinated", [absent], 1), ("absent", None, 0)):
            chosen = np.setdiff1d(np.arange(len(NAMES)), [*own, absent]) if which is None else np.asarray(which)
            for arm in range(2):
                slope = trend.get(kind, 0.0) + (treated_trend.get(kind, 0.0) if arm else 0.0)
                logit[arm, image, :, chosen] += level + slope * step + (kind != "absent") * specific * common[arm, image]
    shift = noise((2, images, steps)) + shift_trend * step
    rank = 1 + np.round(WORDS * (1 - ndtr(logit / 3)))
    own = noise((2, images, steps))[..., None] + draw.normal(size=(2, images, steps, layers))
    entropy = 3 + 0.2 * (own + max(coupling, specific) * common[..., None])
    entropy = entropy + position * curve[:, None]
    first = draw.uniform(0.1, 0.9, (2, images, steps, 1)) if sink else np.zeros((2, images, steps, 1))
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = (1 - first) * entropy - np.where(first > 0, first * np.log(first) + (1 - first) * np.log(1 - first), 0.0)
    mass = np.broadcast_to(np.stack([first, 1 - first], -1)[..., None, :], (2, images, steps, layers, 2, 2))
    cells = ("arm", "image", "step")
    arrays = {
        "object_logit": ((*cells, "object"), logit + shift[..., None]),
        "object_logprob": ((*cells, "object"), logit - 8),
        "object_rank": ((*cells, "object"), rank),
        "logit_mean": (cells, shift),
        "mass": ((*cells, "layer", "head", "group"), mass),
        "row_entropy": ((*cells, "layer", "head"), np.repeat(entropy[..., None], 2, axis=-1)),
        "rate": (
            (*cells, "layer"),
            np.where((np.arange(layers) >= 2) & (np.arange(layers) < layers - 1), 0.6, np.nan) * np.ones((2, images, steps, 1)),
        ),
    }
    arrays = {
        n: (d, np.where(alive.reshape(*alive.shape, *[1] * (v.ndim - 3)), v, np.nan).astype(np.float32)) for n, (d, v) in arrays.items()
    }
    arrays["rate"][1][0] = np.nan
    words[~alive] = ""
    captions = np.array([[" ".join(words[a, i, : n_steps[a, i]]) for i in range(images)] for a in range(2)], dtype=object)
    texts = {
        "caption": (("arm", "image"), captions),
        "piece_predicted": (cells, np.where(alive, "▁" + words, "").astype(object)),
        "token_predicted": (cells, np.where(alive, 1, -1)),
        "n_steps": (("arm", "image"), n_steps),
    }
    coords = {
        "arm": list(ARMS),
        "image": np.arange(images),
        "step": step,
        "layer": np.arange(layers),
        "head": [0, 1],
        "group": ["bos", "generated"],
        "object": list(NAMES),
    }
    about = {"git_commit": "0" * 40, "model_id": "synthetic", "model_revision": "planted", "data_hash": "none", "schema_version": "2"}
    return xr.Dataset({**arrays, **texts}, coords, {**about, "regime": regime, "dtype": "float32", "seed": "0", "config": "{}"})


def recordings(**options):
    """Both regimes."""
    return {regime: recording(regime=regime, **options) for regime in ("free", "replay")}
