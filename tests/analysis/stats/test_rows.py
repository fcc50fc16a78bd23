"""Results files: strict JSON, unique names, the same bytes for the same numbers."""

import json

import numpy as np
import pytest

from analysis.stats.rows import Row, as_json, read_json


def test_nan_is_null_and_numpy_is_plain():
    row = Row("a", np.float64(0.123456789), "nat", 3, (np.float64(np.nan), 1.0), effect={"d_z": np.float64(2)})
    found = json.loads(as_json([row], {"seed": 0}, extra=[np.array([1.0, np.inf])]))
    assert found["results"][0]["estimate"] == 0.123457
    assert found["results"][0]["interval"] == [None, 1.0]
    assert found["results"][0]["p"] is None
    assert found["extra"] == [[1.0, None]]
    assert found["provenance"] == {"seed": 0}


def test_results_and_other_lists_go_a_line_an_item_and_the_rest_last(tmp_path):
    rows = [Row("a", 1.0, "1", 2), Row("b", 2.0, "1", 2)]
    text = as_json(rows, {"seed": 0, "commit": "c"}, curve=[1.5, 2.5], where={"n": 3})
    lines = text.splitlines()
    assert (lines[0], lines[1], lines[4], lines[-1]) == ("{", ' "results": [', " ],", "}")
    assert [json.loads(line.rstrip(","))["name"] for line in lines[2:4]] == ["a", "b"]
    assert lines[5:9] == [' "curve": [', "  1.5,", "  2.5", " ],"]
    assert list(json.loads(text)) == ["results", "curve", "provenance", "where"]
    (tmp_path / "results.json").write_text(text)
    read = read_json(tmp_path / "results.json")
    assert list(read["provenance"]) == ["commit", "seed"]
    assert [read["curve"], read["where"], [row["estimate"] for row in read["results"]]] == [[1.5, 2.5], {"n": 3}, [1, 2]]


def test_two_rows_of_one_name_are_refused():
    row = Row("a", 1.0, "1", 2)
    with pytest.raises(ValueError, match="must have different names; got 'a' twice"):
        as_json([row, row], {})


def test_roles_are_known():
    with pytest.raises(ValueError, match="must be one of primary, exploratory, descriptive; got 'main'"):
        Row("a", 1.0, "1", 2, role="main")
