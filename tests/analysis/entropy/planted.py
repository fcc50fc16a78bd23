"""Recordings with a planted truth: how hidden states move, which class of tokens has high entropy, and what entropy goes along with."""

import numpy as np
import xarray as xr

from tests.analysis.synthetic import recording

LAGS = (1, 2, 4, 8, 16, 32)
TEXT = "▁This ▁is ▁a ▁kitchen ▁with ▁a ▁bowl ▁and ▁three ▁cups . ▁The ▁dog ▁lies ▁near ▁the ▁hot ▁dog , ▁exactly ▁here ."


def states(kind, images, steps, channels, layers, draw, coefficient=0.7):
    """Hidden states "image step layer channel": "walk", "white" noise round a mean, "ar1", or "seen" (a walk seen through noise)."""
    shape = (images, steps, layers, channels)
    noise = draw.normal(size=shape)
    if kind == "walk":
        return noise.cumsum(axis=1)
    if kind == "white":
        return 5 + noise
    if kind == "seen":
        return noise.cumsum(axis=1) + draw.normal(size=shape)
    values = np.empty(shape)
    values[:, 0] = noise[:, 0] / np.sqrt(1 - coefficient**2)
    for t in range(1, steps):
        values[:, t] = coefficient * values[:, t - 1] + noise[:, t]
    return values


def moved(hidden):
    """Displacement and increment product "image step layer lag" of states "image step layer channel"."""
    displacement, product = (np.full((*hidden.shape[:3], len(LAGS)), np.nan) for _ in range(2))
    increments = np.diff(hidden, axis=1)
    for number, lag in enumerate(LAGS):
        if lag < hidden.shape[1]:
            displacement[:, lag:, :, number] = ((hidden[:, lag:] - hidden[:, :-lag]) ** 2).sum(-1)
        if lag < increments.shape[1]:
            product[:, 1 + lag :, :, number] = (increments[:, lag:] * increments[:, :-lag]).sum(-1)
    return displacement, product


def planted(
    images=30, steps=60, layers=5, heads=2, seed=0, kind="walk", channels=16, punctuation=0.0, coupling=0.0, regime="replay", rho=0.6
):
    """A recording whose two arms move alike; `punctuation` nat are added to the entropy of full stops and commas.

    `coupling` times the AR(1) part of the entropy is added to the angle to the mean state, whose own noise is AR(1) as well.
    """
    made = recording(images, steps, layers, heads, seed=seed, regime=regime, rho=rho)
    other = recording(images, steps, layers, heads, seed=seed + 1000, regime=regime, rho=rho)
    draw = np.random.default_rng(seed)
    displacement, product = moved(states(kind, images, steps, channels, layers, draw))
    both = lambda values: np.stack([values, values]).astype(np.float32)  # noqa: E731
    cells = ("arm", "image", "step", "layer", "lag")
    text = TEXT.split()
    shift = draw.integers(0, len(text), images)
    pieces = np.array([["ASSISTANT", *(text[(t + first) % len(text)] for t in range(steps - 1))] for first in shift], dtype=object)
    stop = np.isin(pieces, [".", ","])
    entropy = made["row_entropy"].values
    angle = other["row_entropy"].values.mean(-1) - 2 + coupling * (entropy.mean(-1) - 3)
    angle[:, :, :2] = np.nan
    made = made.assign(
        row_entropy=(made["row_entropy"].dims, entropy + punctuation * both(stop)[..., None, None]),
        displacement=(cells, both(displacement)),
        increment_product=(cells, both(product)),
        drift_mean=(cells[:-1], angle.astype(np.float32)),
        piece_fed=(cells[:3], np.stack([pieces, pieces])),
        token_predicted=(cells[:3], np.zeros((2, images, steps), dtype=np.int64)),
    )
    return xr.Dataset(made.data_vars, made.coords, made.attrs).assign_coords(lag=list(LAGS))
