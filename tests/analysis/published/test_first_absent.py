"""The first absent object: times by hand, and what is planted is found in the hazard and not in the length."""

import numpy as np
import pytest

from analysis.metrics.chair import score_caption
from analysis.published.counts import spoken
from analysis.published.first_absent import first_absent, times
from analysis.stats.lifetable import END, EVENT
from analysis.words.readers import Bundled

OBJECTS = ("dog", "cat", "cup", "kite", "pizza", "chair", "bowl", "spoon", "cake", "bus")
NUMBERS = {name: i for i, name in enumerate(OBJECTS)}


def log(captions, truth):
    records = [score_caption(text, there, image) for image, (text, there) in enumerate(zip(captions, truth, strict=True))]
    return spoken(records, captions, Bundled(), NUMBERS)


def test_times_count_new_objects():
    captions = ["A dog, a dog, a cat and a cup.", "A kite.", "A dog and a dog.", "Nothing.", "A cup, a dog, a cup."]
    truth = [{"dog", "cat"}, set(), {"dog"}, {"dog"}, {"cup", "dog"}]
    time, kind = times(log(captions, truth))
    assert time.tolist() == [3, 1, 2, 1, 3]
    assert kind.tolist() == [EVENT, EVENT, END, END, END]


def drawn(rng, chance, most, images=300):
    """Captions that name so many objects, each absent with this chance."""
    captions, truth = [], []
    for _ in range(images):
        said = rng.permutation(OBJECTS)[:most]
        absent = rng.random(most) < chance
        captions.append("There is " + ", ".join(f"a {name}" for name in said) + ".")
        truth.append({str(name) for name, wrong in zip(said, absent, strict=True) if not wrong})
    return log(captions, truth)


@pytest.mark.parametrize(("chance", "most", "way"), [(0.05, 6, -1), (0.2, 3, 0), (0.4, 6, 1)])
def test_a_log_that_says_less_has_no_lower_hazard(chance, most, way):
    base = drawn(np.random.default_rng(0), 0.2, 6)
    rows = {row.where["measure"]: row for row in first_absent(drawn(np.random.default_rng(3), chance, most), base, "a - b", {}, 0.99, 0)}
    ratio = rows["hazard_ratio"]
    expected = np.log1p(-chance) / np.log(0.8)
    assert ratio.interval[0] < expected < ratio.interval[1]
    assert (ratio.p < 0.001) == bool(way)
    assert np.sign(ratio.estimate - 1) == way or not way
    if most == 6 and way:
        assert np.sign(rows["objects_before"].estimate) == -way
        assert rows["objects_before"].p < 0.01
