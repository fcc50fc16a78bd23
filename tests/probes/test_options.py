"""Laws of options: what holds passes, what does not is named with its class, its law and its value."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from probes.command.cli import BadInput
from probes.options import (
    ImageOptions,
    check_above_zero,
    check_level,
    check_not_negative,
    check_positive,
    check_rates,
    check_seed,
)


@dataclass(frozen=True)
class Some:
    level: Any


@pytest.mark.parametrize(
    ("check", "held", "broken", "law"),
    [
        (check_positive, (1, 500, np.int64(3), None, (), (1, 2)), (0, -1, 1.5, 2.0, True, math.nan), "must be a positive integer"),
        (check_positive, (), ((3, 0), (1.5,)), "must be positive integers"),
        (check_not_negative, (0, 0.5, None, (0.0,)), (-1, math.nan, (0, -0.1)), "must be 0 or more"),
        (check_above_zero, (0.1, None), (0, -1, math.nan), "must be positive"),
        (check_rates, (0, 1, 0.5, (0.0, 1.0)), (-0.1, 1.1, math.nan, (0.5, 2)), r"must lie in \[0, 1\]"),
        (lambda options, _: check_level(options), (0.95,), (0, 1, math.nan), r"must lie in \(0, 1\)"),
    ],
)
def test_what_breaks_a_law_is_named(check, held, broken, law):
    for value in held:
        check(Some(value), "level")
    for value in broken:
        bad = value[-1] if isinstance(value, tuple) else value
        with pytest.raises(BadInput, match=rf"^Some\.level {law}; got {bad}\.$"):
            check(Some(value), "level")


@dataclass(frozen=True)
class Seeded:
    seed: Any


def test_a_seed_is_a_whole_number_from_0_on():
    for seed in (0, 3, np.int64(3)):
        check_seed(Seeded(seed))
    for seed, law in ((0.5, "a whole number"), (1.0, "a whole number"), (True, "a whole number"), (-1, "0 or more")):
        with pytest.raises(BadInput, match=rf"^Seeded\.seed must be {law}; got {seed}\.$"):
            check_seed(Seeded(seed))


@pytest.mark.parametrize("name", ["images", "batch_size", "max_new_tokens"])
def test_shared_options_keep_their_laws_under_the_name_of_the_command(name):
    @dataclass(frozen=True)
    class OwnConfig(ImageOptions):
        own: int = 1

    with pytest.raises(BadInput, match=rf"OwnConfig\.{name} must be a positive integer; got 0"):
        OwnConfig(**{name: 0})
    with pytest.raises(BadInput, match=r"OwnConfig\.seed must be 0 or more; got -1"):
        OwnConfig(seed=-1)
