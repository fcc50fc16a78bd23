"""The rule of the verdict, on rows that are made for it."""

import pytest

from analysis.published.verdict import BETTER, LESS, MIXTURE, NOT_LOWER, RAISES, REPEATS, UNTOLD, verdict


def rows(parts=(0.0, 0.0, 0.0), **changes):
    """Rows of a method without any change, but for those given: measure, and its estimate and corrected p."""
    made = {}
    for name in ("chair_s", "chair_i", "recall", "repeated_4grams", "looping"):
        estimate, p = changes.get(name, (0.0, 1.0))
        made[f"m - g/{name}"] = {"estimate": estimate, "p_adjusted": p}
    for name in ("chair_s", "precision"):
        estimate, p = changes.get(f"beyond_{name}", (0.0, 1.0))
        made[f"m/beyond every line/{name}"] = {"estimate": estimate, "p_adjusted": p}
    for part, value in zip((BETTER, LESS, REPEATS), parts, strict=True):
        made[f"m - g/{part}/chair_i"] = {"estimate": value, "p_adjusted": float("nan")}
    return made


LOWER = {"chair_s": (-0.1, 0.001)}
BEYOND = {"beyond_chair_s": (-0.05, 0.001), "beyond_precision": (0.01, 0.4)}
FEWER, LOOPS = {"recall": (-0.05, 0.001)}, {"looping": (0.1, 0.001)}


@pytest.mark.parametrize(
    ("changes", "kind", "parts"),
    [
        (LOWER | BEYOND, BETTER, (BETTER,)),
        (LOWER | FEWER, LESS, (LESS,)),
        (LOWER | LOOPS, REPEATS, (REPEATS,)),
        (LOWER | BEYOND | FEWER, MIXTURE, (BETTER, LESS)),
        (LOWER | BEYOND | FEWER | LOOPS, MIXTURE, (BETTER, LESS, REPEATS)),
        (LOWER, UNTOLD, ()),
        (BEYOND | FEWER, NOT_LOWER, (BETTER, LESS)),
        (LOWER | {"chair_i": (0.1, 0.001)} | FEWER, NOT_LOWER, (LESS,)),
        (LOWER | {"beyond_chair_s": (-0.05, 0.001), "beyond_precision": (-0.01, 0.4)}, UNTOLD, ()),
        (LOWER | {"beyond_chair_s": (-0.05, 0.06), "beyond_precision": (0.01, 0.06)}, UNTOLD, ()),
        (LOWER | {"looping": (0.019, 0.001)}, UNTOLD, ()),
        ({"chair_s": (0.1, 0.001)}, RAISES, ()),
        ({"chair_i": (0.1, 0.001)} | LOOPS, RAISES, (REPEATS,)),
        ({"chair_s": (0.1, 0.06)}, NOT_LOWER, ()),
        (LOWER | {"repeated_4grams": (0.02, 0.001)}, REPEATS, (REPEATS,)),
        (LOWER | {"looping": (0.1, 0.2)}, UNTOLD, ()),
    ],
)
def test_the_kind_follows_from_the_parts(changes, kind, parts):
    said = verdict(rows(**changes), "m", "g")
    assert (said.kind, said.parts) == (kind, parts)


def test_shares_are_those_of_the_fall_of_chair_i():
    said = verdict(rows((-0.03, -0.01, 0.02), **LOWER, **BEYOND, **FEWER), "m", "g")
    assert said.shares == {BETTER: pytest.approx(0.75), LESS: pytest.approx(0.25)}
    assert said.words == "mixture: sees better 75 %, says less 25 %"
    assert verdict(rows((-0.01, 0.0, 0.02), **LOWER, **LOOPS), "m", "g").shares == {}
    assert verdict(rows((-0.03, -0.01, 0.0), **LOWER, **FEWER, **LOOPS), "m", "g").words == "mixture: says less 25 %, repeats"
