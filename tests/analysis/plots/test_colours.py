"""A colour of an arm means this arm in every figure: it is written once, and differs from all others for colour-blind readers too."""

import itertools
from pathlib import Path

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from analysis.plots import style

HOME = Path(style.__file__).resolve().parents[2]
MEANS = {
    **style.ARM_COLOURS,
    "another dose": style.DOSE_COLOUR,
    "constant rate": style.CONSTANT_COLOUR,
    "better": style.BETTER,
    "worse": style.WORSE,
}
SEEN = {
    "full": np.eye(3),
    "no green cones": np.array([[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]]),
    "no red cones": np.array([[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]]),
}
"""Linear RGB as it is seen, after Machado, Oliveira and Fernandes 2009, full strength."""


def lab(colour, seen):
    """A colour in CIE L*a*b* (D65), where distances are roughly those that one sees."""
    rgb = np.array(to_rgb(colour))
    linear = np.clip(seen @ np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4), 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]])
    ratio = (xyz @ linear) / (xyz @ np.ones(3))
    x, y, z = np.where(ratio > 0.008856, np.cbrt(ratio), 7.787 * ratio + 16 / 116)
    return np.array([116 * y - 16, 500 * (x - y), 200 * (y - z)])


def written(folder):
    """Files of code that draw, or could: modules and notebooks."""
    return (path for kind in ("py", "ipynb") for path in (HOME / folder).rglob(f"*.{kind}"))


@pytest.mark.parametrize("folder", ["analysis", "kvsmooth", "notebooks", "probes"])
def test_colours_with_a_meaning_are_written_in_the_style_alone(folder):
    codes = [colour.lower() for colour in MEANS.values()]
    others = (path for path in written(folder) if path != Path(style.__file__).resolve())
    found = {str(path.relative_to(HOME)) for path in others if any(code in path.read_text(encoding="utf-8").lower() for code in codes)}
    assert not found, "take these colours from analysis.plots.style by name, or others from its OTHERS"


def test_the_style_writes_each_meaning_once():
    text = Path(style.__file__).read_text(encoding="utf-8").lower()
    assert {colour: text.count(colour.lower()) for colour in MEANS.values()} == dict.fromkeys(MEANS.values(), 1)


def test_what_is_no_arm_has_no_colour_with_a_meaning():
    looks = [*style.OTHERS, style.NULL_COLOUR, style.PALE, *style.GROUP_COLOURS.values(), *style.KIND_COLOURS.values()]
    looks += [colour for colour, _ in style.KIND_LOOK.values()]
    assert not {*looks} & {*MEANS.values()}


@pytest.mark.parametrize("eyes", SEEN)
def test_colours_are_told_apart(eyes):
    for one, other in itertools.combinations([*MEANS.values(), *style.OTHERS], 2):
        assert np.linalg.norm(lab(one, SEEN[eyes]) - lab(other, SEEN[eyes])) > 15, (one, other)
