"""Biases of equal attention: the shift against a root finder, tokens and captions by plain loops."""

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.special import expit, logit

from analysis.cells.names import PAPER
from analysis.mechanism.__main__ import MechanismConfig
from analysis.mechanism.equal_mass import MOST, biases, corrected, on_image, shift, spoken
from kvsmooth import KVSmooth
from probes.command.cli import BadInput
from probes.session import record
from tests.analysis.synthetic import recording


def test_a_shift_brings_the_mean_to_what_is_wanted():
    rng = np.random.default_rng(0)
    seen, wanted = rng.uniform(0.01, 0.9, (40, 3)), rng.uniform(0.2, 0.8, (40, 3))
    found = shift(seen, wanted)
    for head in range(3):
        slow = brentq(lambda bias, head=head: expit(logit(seen[:, head]) + bias).mean() - wanted[:, head].mean(), -20, 20)
        assert found[head] == pytest.approx(slow, abs=1e-9)
    np.testing.assert_allclose(shift(seen, seen), 0, atol=1e-9)
    # the odds of every token are multiplied by exp(bias)
    np.testing.assert_allclose(shift(seen, expit(logit(seen) + 1.3)), 1.3, atol=1e-9)


def test_a_head_that_never_looks_at_the_image_gets_no_endless_bias():
    assert shift(np.zeros((5, 1)), np.full((5, 1), 0.5)) == pytest.approx([MOST])
    assert shift(np.ones((5, 1)), np.zeros((5, 1))) == pytest.approx([-MOST])


def test_a_bias_at_its_limit_comes_back_at_once():
    """What was beyond the limit was never applied, and must not be taken back first."""
    bias = corrected(np.array([[MOST - 1, 0.0]]), np.full((5, 2), 1e-9), np.full((5, 2), 0.5))
    np.testing.assert_allclose(bias, [[MOST, MOST]])
    seen = np.full((5, 2), 0.8)
    np.testing.assert_allclose(corrected(bias, seen, expit(logit(seen) - 2)), [[MOST - 2, MOST - 2]])
    # one column for all heads moves them alike
    np.testing.assert_allclose(corrected(np.zeros((3, 2)), seen[:, :1], expit(logit(seen[:, :1]) - 2)), np.full((3, 2), -2.0))


def test_captions_of_one_token_have_no_bias(tmp_path):
    subject, items = MechanismConfig(images=1).subject_and_items()
    with pytest.raises(BadInput, match="subject emoji: no caption has a second token"):
        biases(subject, items, KVSmooth(), tmp_path, max_new_tokens=1)


def test_tokens_are_those_of_every_caption_but_its_first():
    made = recording(3, 10, lengths=[10, 4, 1])
    found = on_image(made.sel(arm="kvsmooth"), [2, 4])
    mass = made["mass"].sel(arm="kvsmooth", group="image").transpose("image", "step", "layer", "head").values
    slow = [mass[image, step][[2, 4]] for image, length in enumerate([10, 4, 1]) for step in range(1, length)]
    np.testing.assert_allclose(found, np.stack(slow))


def test_captions_are_handed_on_token_by_token():
    made = recording(2, 6, lengths=[6, 3])
    made["token_predicted"] = (("arm", "image", "step"), np.arange(24).reshape(2, 2, 6))
    assert spoken(made) == {int(made["image"][0]): [0, 1, 2, 3, 4, 5], int(made["image"][1]): [6, 7, 8]}


@pytest.mark.slow
def test_the_biases_give_the_image_the_attention_that_the_method_gives_it(half_subject, tmp_path):
    """To 1e-4 of a row, of 0.1 to 0.2 that are missing at first. A round less leaves 16 times and 174 times what is left now."""
    items, paper, short = half_subject.items(3), KVSmooth(lambda_ref=0.7, layers=range(4)), {"recorders": ("mass",), "max_new_tokens": 12}
    arms = biases(half_subject, items, paper, tmp_path / "search", max_new_tokens=12)
    found = record(half_subject, items, {"baseline": None, PAPER: paper, **arms}, "replay", tmp_path / "found", **short)
    without, wanted, alike, each = (on_image(found.sel(arm=arm), range(4)).mean(0) for arm in ("baseline", PAPER, *arms))
    assert abs(wanted.mean() - without.mean()) > 0.05
    assert alike.mean() == pytest.approx(wanted.mean(), abs=1e-4)
    np.testing.assert_allclose(each, wanted, atol=1e-4)
