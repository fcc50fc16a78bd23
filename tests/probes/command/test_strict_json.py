"""Whatever a file of ours keeps becomes strict JSON, by one converter."""

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from kvsmooth import KVSmooth
from probes.command.strict_json import as_json, as_plain, json_text

ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Options:
    """A configuration."""

    out: Path = Path("a") / "b"
    share: float = math.nan
    names: frozenset = frozenset({"b", "a"})


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (math.nan, None),
        (-math.inf, None),
        (np.float32("nan"), None),
        (np.float64(0.1), 0.1),
        (np.int64(3), 3),
        (np.longdouble(0.5), 0.5),
        (np.bool_(True), True),
        (np.str_("a"), "a"),
        (np.array([[1.0, np.inf], [2.5, -0.0]]), [[1.0, None], [2.5, 0.0]]),
        (np.array(7), 7),
        (range(3), [0, 1, 2]),
        ((1, (2.0, None)), [1, [2.0, None]]),
        ({"b", "a", "c"}, ["a", "b", "c"]),
        (frozenset({2, "a"}), ["a", 2]),
        ({1: {Path("x") / "y"}}, {"1": ["x/y"]}),
        (Options(), {"out": "a/b", "share": None, "names": ["a", "b"]}),
        (True, True),
        (complex, "<class 'complex'>"),
    ],
)
def test_each_kind_becomes_what_json_can_hold(value, expected):
    found = as_plain(value)
    assert found == expected
    assert type(found) is type(expected)
    assert json.loads(json_text(value)) == expected


def test_an_arm_describes_itself():
    assert as_plain({"arm": KVSmooth(lambda_ref=0.9)})["arm"]["lambda_ref"] == 0.9


@pytest.mark.parametrize(("value", "expected"), [(1 / 3, 0.333333), (1234567.0, 1234570.0), (1234567, 1234567), (2e-9, 2e-9), (True, True)])
def test_fractions_alone_are_rounded_to_digits(value, expected):
    assert as_plain([value], 6) == [expected]
    assert as_plain([value]) == [value]


numbers = st.one_of(st.floats(), st.integers(), st.booleans(), st.none(), st.text())
arrays = npst.arrays(st.sampled_from((np.float32, np.float64, np.int64, np.bool_)), npst.array_shapes(max_dims=2, max_side=3))
leaves = st.one_of(numbers, arrays, st.frozensets(numbers, max_size=3), st.builds(Path, st.just("a")))
anything = st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner) | st.tuples(inner, inner), max_leaves=12)


@pytest.mark.slow
@given(value=anything, digits=st.sampled_from((None, 6)))
def test_anything_is_strict_json_and_stays_as_it_is_the_second_time(value, digits):
    found = as_plain(value, digits)
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    assert as_plain(found, digits) == found


def test_equal_configurations_are_equal_strings():
    assert as_json({"b": 1, "a": {"y", "x"}}) == as_json({"a": {"x", "y"}, "b": 1}) == '{"a": ["x", "y"], "b": 1}'


def test_no_file_of_results_is_written_past_the_converter():
    """A file with an indent is for people and other programs: NaN in it is no JSON, and a path or a numpy scalar a crash at the end."""
    past = re.compile(r"json\.dumps\((?:[^()]|\([^()]*\))*(?:indent=1|default=)")
    found = [
        path.relative_to(ROOT) for room in ("probes", "analysis") for path in (ROOT / room).rglob("*.py") if past.search(path.read_text())
    ]
    assert not found
