"""The reduction lies beside the texts: made once, read after that to the bit, made anew where anything that decides it changes."""

import numpy as np
import pytest
import xarray as xr

from analysis.sinks.cache import cached


@pytest.fixture
def making():
    made = []

    def make():
        made.append(True)
        values = xr.Dataset({"x": ("image", np.random.default_rng(0).random(3)), "n": ("image", np.arange(3, dtype=np.int32))})
        return values.assign_coords(image=[5, 6, 7], kind=["a", "b"]).assign_attrs(seed=3, told='{"a": 1}')

    return make, made


def test_a_reduction_is_made_once(tmp_path, making):
    make, made = making
    texts = [{"scores": np.arange(6.0).reshape(2, 3)}]
    first = cached(tmp_path, texts, {"seed": 0}, make)
    again = cached(tmp_path, texts, {"seed": 0}, make)
    xr.testing.assert_identical(first, again)
    assert {name: values.dtype for name, values in again.items()} == {name: values.dtype for name, values in first.items()}
    assert len(made) == 1
    cached(tmp_path, texts, {"seed": 1}, make)
    texts[0]["scores"][0, 0] = -1
    cached(tmp_path, texts, {"seed": 1}, make)
    assert len(made) == 3
    (path,) = tmp_path.glob("reduced-*.nc")
    path.write_bytes(b"torn")
    cached(tmp_path, texts, {"seed": 1}, make)
    assert len(made) == 4
