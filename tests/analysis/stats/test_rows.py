"""Results files: strict JSON, unique names, the same bytes for the same numbers."""

import json

import numpy as np
import pytest

from analysis.stats.rows import Row, as_json


def test_nan_is_null_and_numpy_is_plain():
    row = Row("a", np.float64(0.123456789), "nat", 3, (np.float64(np.nan), 1.0), effect={"d_z": np.float64(2)})
    found = json.loads(as_json([row], {"seed": 0}, extra=[np.array([1.0, np.inf])]))
    assert found["results"][0]["estimate"] == 0.123457
    assert found["results"][0]["interval"] == [None, 1.0]
    assert found["results"][0]["p"] is None
    assert found["extra"] == [[1.0, None]]
    assert found["provenance"] == {"seed": 0}


def test_two_rows_of_one_name_are_refused():
    row = Row("a", 1.0, "1", 2)
    with pytest.raises(ValueError, match="must have different names; got 'a' twice"):
        as_json([row, row], {})


def test_roles_are_known():
    with pytest.raises(ValueError, match="must be one of primary, exploratory, descriptive; got 'main'"):
        Row("a", 1.0, "1", 2, role="main")
