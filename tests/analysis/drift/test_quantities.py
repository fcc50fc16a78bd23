"""Quantities that are made of others, against whole attention rows."""

import numpy as np
import pytest
import xarray as xr

from analysis.drift.quantities import entropy_without_bos

GROUPS = ("bos", "image", "generated")


def recording(rows):
    """What a recording holds of attention rows "arm image step layer head key", the first key the one that begins the text."""
    rows = np.asarray(rows)
    with np.errstate(divide="ignore", invalid="ignore"):
        entropy = -np.where(rows > 0, rows * np.log(rows), 0.0).sum(-1)
    mass = np.stack([rows[..., 0], rows[..., 1:3].sum(-1), rows[..., 3:].sum(-1)], -2)
    dims = ("arm", "image", "step", "layer")
    return xr.Dataset(
        {"row_entropy": ((*dims, "head"), entropy), "mass": ((*dims, "group", "head"), mass)},
        {"group": list(GROUPS)},
    )


@pytest.fixture
def rows():
    made = np.random.default_rng(0).dirichlet(np.full(6, 0.4), (1, 2, 3, 2, 4))
    made[0, 0, 0, 0, 0] = [0, 0.5, 0.5, 0, 0, 0]  # no mass on the first key
    return made


def test_entropy_without_bos_is_that_of_the_row_without_its_first_key(rows):
    rest = rows[..., 1:] / rows[..., 1:].sum(-1, keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        expected = -np.where(rest > 0, rest * np.log(rest), 0.0).sum(-1).mean(-1)
    found = entropy_without_bos(recording(rows))
    assert found.dims == ("arm", "image", "step", "layer")
    np.testing.assert_allclose(found.values, expected, rtol=1e-10)


def test_it_is_unknown_where_the_first_key_has_all(rows):
    rows[0, 1, 2, 1] = [1, 0, 0, 0, 0, 0]
    found = entropy_without_bos(recording(rows)).values
    assert np.isnan(found[0, 1, 2, 1])
    assert np.isfinite(found).sum() == found.size - 1
