"""Recordings whose truth is planted: AR(1) entropies, visual mass that only dilutes, and effects of an arm of known size."""

import json

import numpy as np
import xarray as xr

GROUPS = ("bos", "system", "image", "prompt", "generated", "self")
PROMPT_KEYS = {"bos": 1, "system": 3, "image": 64, "prompt": 8}
ARMS = ("baseline", "kvsmooth")


def recording(
    images=12,
    steps=40,
    layers=6,
    heads=2,
    seed=0,
    arms=ARMS,
    regime="replay",
    lengths=None,
    entropy_effect=0.0,
    entropy_trend=0.0,
    forgetting=0.0,
    drift_effect=0.0,
    rho=0.6,
):
    """A merged recording in the schema.

    Row entropy is AR(1) with coefficient `rho` round 3 nat plus `entropy_trend` a step, and `entropy_effect` in the second arm.
    Image mass is that of uniform attention, times exp(-forgetting * step). Drift from the image is 1 rad, plus `drift_effect` in
    the second arm. Layers below the second are the same in both arms, as a layer beneath the smoothed band is in replay.
    """
    draw = np.random.default_rng(seed)
    n_steps = np.broadcast_to(np.array(lengths if lengths is not None else steps), (len(arms), images)).astype(int)
    shape = (len(arms), images, steps, layers)
    step = np.arange(steps)
    alive = step < n_steps[:, :, None]
    treated = (np.arange(len(arms)) == 1)[:, None, None, None] * (np.arange(layers) >= 2)

    def noise(scale, coefficient=rho, shared=0.8):
        own, common = draw.normal(size=shape), draw.normal(size=(1, *shape[1:]))
        innovation = np.sqrt(shared) * common + np.sqrt(1 - shared) * np.where(np.arange(layers) >= 2, own, own[:1])
        values = np.empty(shape)
        values[:, :, 0] = innovation[:, :, 0] / np.sqrt(1 - coefficient**2)
        for t in range(1, steps):
            values[:, :, t] = coefficient * values[:, :, t - 1] + innovation[:, :, t]
        return scale * (values + draw.normal(size=(1, images, 1, layers)))

    entropy = 3 + noise(0.2) + entropy_trend * step[:, None] + entropy_effect * treated
    keys = np.stack([np.full(steps, float(v)) for v in PROMPT_KEYS.values()] + [step.astype(float), np.ones(steps)], axis=-1)
    share = keys / keys.sum(axis=-1, keepdims=True)
    image = share[:, 2, None] * np.exp(noise(0.02) - forgetting * step[:, None])
    rest = np.delete(share, 2, axis=-1) / (1 - share[:, 2, None])
    mass = np.insert((1 - image)[..., None] * rest[:, None, :], 2, image, axis=-1)
    per_head = lambda values: np.repeat(values[:, :, :, :, None], heads, axis=4)  # noqa: E731
    channels = lambda values: np.stack([values, values], axis=-1)  # noqa: E731
    smoothed = np.where(treated & (np.arange(layers) < layers - 1) & (step > 0)[:, None], 1.0, np.nan)
    rates = np.clip(draw.integers(0, 15, shape) / 15, 0.5, 0.9)
    cells = ("arm", "image", "step", "layer")
    angle = {"drift_step": 0.6, "drift_image": 1.0, "drift_prompt": 1.2}
    arrays = {
        "row_entropy": ((*cells, "head"), per_head(entropy)),
        "n_keys": (cells, np.broadcast_to(keys.sum(axis=-1)[:, None], shape)),
        "mass": ((*cells, "head", "group"), np.repeat(mass[:, :, :, :, None, :], heads, axis=4)),
        "group_keys": ((*cells, "group"), np.broadcast_to(keys[:, None, :], (*shape, 6))),
        **{
            name: ((*cells, "channels"), channels(level + noise(0.05) + (drift_effect * treated if name == "drift_image" else 0)))
            for name, level in angle.items()
        },
        **{f"norm_{name}": (cells, 5 + noise(0.1)) for name in ("hidden", "key", "value")},
        "rate": (cells, rates * smoothed),
        "change_key": (cells, 0.6 * rates * smoothed),
        "change_value": (cells, 0.9 * rates * smoothed),
        "log_probability": (("arm", "image", "step"), np.broadcast_to(-0.3 + draw.normal(0, 0.02, (images, steps)), shape[:3])),
    }
    masked = {}
    for name, (dims, values) in arrays.items():
        cell = alive.reshape(*alive.shape, *([1] * (values.ndim - 3)))
        masked[name] = (dims, np.where(cell, values, np.nan).astype(np.float32))
    return xr.Dataset(
        {
            **masked,
            "n_steps": (("arm", "image"), n_steps),
            "caption": (("arm", "image"), np.full((len(arms), images), "There is a cat. There is a dog. There is a cat.", dtype=object)),
        },
        coords={
            "arm": list(arms),
            "image": np.arange(images, dtype=np.int64),
            "step": step,
            "layer": np.arange(layers),
            "head": np.arange(heads),
            "group": list(GROUPS),
            "channels": ["all", "masked"],
        },
        attrs={
            "schema_version": "1",
            "regime": regime,
            "git_commit": "0" * 40,
            "model_id": "synthetic",
            "model_revision": "planted",
            "data_hash": "none",
            "seed": seed,
            "config": json.dumps({"planted": True}),
        },
    )
