"""Slopes of objects are those of the question that asks for them alone; what is hallucinated, all arms' captions say."""

import numpy as np

from analysis.logits.reduce import reduce
from analysis.mechanism.measures import MEASURES, OF_OBJECTS
from analysis.mechanism.objects import objects_measured
from tests.analysis.objects.synthetic import annotations, recordings


def test_slopes_are_those_of_the_logits_question():
    made = recordings(images=8, trend={"hallucinated": 0.03})
    found = objects_measured(made["replay"], made["free"], annotations(8), min_steps=8)
    expected = reduce(made, annotations(8))["slope"].sel(regime="replay", outcome="logprob").transpose("arm", "image", "set")
    for place, name in enumerate(OF_OBJECTS):
        np.testing.assert_allclose(found[:, :, place], expected.sel(set=MEASURES[name].objects).values, rtol=1e-5)
    assert np.isfinite(found).all()


def test_an_absent_object_that_any_arm_names_counts_in_every_arm():
    made = recordings(images=8)
    every = objects_measured(made["replay"], made["free"], annotations(8), min_steps=8)
    silent = made["free"].copy(deep=True)
    words = silent["piece_predicted"].values
    words[1] = np.where(words[1] == "", "", "▁so")
    silent["caption"].values[1] = " so so"
    few = objects_measured(made["replay"], silent, annotations(8), min_steps=8)
    np.testing.assert_allclose(few[:, :, 0], every[:, :, 0])
    # each arm names one absent object of an image's kind, the same one here
    np.testing.assert_allclose(few[:, :, 1], every[:, :, 1])
    words[0] = np.where(words[0] == "", "", "▁so")
    silent["caption"].values[0] = " so so"
    none = objects_measured(made["replay"], silent, annotations(8), min_steps=8)
    assert np.isnan(none[:, :, 1]).all()
