"""What is owed to the prior, against one plain pass an image and a sum by hand."""

import numpy as np
import pytest
import torch

from analysis.captions.mentions import mentions
from analysis.card.prior import IMAGES, SETS, owed
from probes.dependency import without_image
from probes.subjects.item import Item
from probes.tracing.tokens import end_tokens, free_captions
from tests.analysis.loaded import loaded

N = 2


@pytest.fixture(scope="module")
def told():
    subject = loaded("emoji")
    from probes.subjects.emoji import scenes

    drawn = scenes(N)
    inputs = subject.encode([Item(one.image_id, one.image) for one in drawn])
    captions = free_captions(subject.model, inputs, end_tokens(subject.speaker), do_sample=False, num_beams=1)
    return subject, drawn, captions, owed(subject, drawn, captions, draws=50, seed=0)


@torch.no_grad()
def by_hand(subject, drawn, captions):
    """By image: sums of log-probabilities of present and absent objects said, and of the probability of each set of objects."""
    said, mass, steps = {True: np.zeros(3), False: np.zeros(3)}, np.zeros((3, 3)), 0
    number = {True: 0, False: 0}
    for i, (scene, caption) in enumerate(zip(drawn, captions, strict=True)):
        own = subject.encode([Item(0, scene.image)])
        three = (own, subject.encode([Item(0, drawn[(i + 1) % N].image)]), without_image(subject.model, own))
        for mention in mentions(subject, caption, scene.names):
            if mention.repeated > 1:
                continue
            steps += 1
            number[mention.present] += 1
            for k, inputs in enumerate(three):
                ids = torch.cat([inputs["input_ids"], torch.tensor([caption[: mention.step]])], 1)
                rest = {name: value for name, value in inputs.items() if name == "pixel_values"}
                p = subject.model(input_ids=ids, **rest).logits[0, -1].double().softmax(-1)
                for name, forms in zip(subject.objects.names, subject.objects.first, strict=True):
                    here = float(p[list(forms)].sum()) if forms else 0.0
                    typical = name in scene.kind.main or name in scene.kind.background
                    mass[k, 0 if name in scene.names else 1 if typical else 2] += here
                    if name == mention.object:
                        said[mention.present][k] += np.log(here)
    return said, number, mass, steps


@pytest.mark.slow
def test_every_row_is_that_of_plain_passes(told):
    subject, drawn, captions, got = told
    said, number, mass, steps = by_hand(subject, drawn, captions)
    assert got["mentions"] == {"present": number[True], "hallucinated": number[False]}
    assert number[True] > 5
    for kind, present in (("present", True), ("hallucinated", False)):
        rows = got["logprob"][kind]
        if number[present]:
            want = said[present] / number[present]
            assert [rows[image]["estimate"] for image in IMAGES] == pytest.approx(want, abs=1e-4)
            assert rows["own less none"]["estimate"] == pytest.approx(want[0] - want[2], abs=1e-4)
            assert rows["own less another"]["estimate"] == pytest.approx(want[0] - want[1], abs=1e-4)
    for k, image in enumerate(IMAGES):
        assert [got["mass"][image][name]["estimate"] for name in SETS] == pytest.approx(mass[k] / steps, abs=1e-4)


def test_the_image_is_worth_something_to_a_subject_that_sees(told):
    *_, got = told
    rows = got["logprob"]["present"]
    assert rows["own less another"]["estimate"] > 1
    assert rows["own less none"]["n"] == N


def test_shares_of_typical_objects(told):
    subject, drawn, _, got = told
    absent = [(scene, name) for scene in drawn for name in subject.objects.names if name not in scene.names]
    typical = sum(name in scene.kind.main + scene.kind.background for scene, name in absent)
    assert got["typical"]["absent objects"]["estimate"] == pytest.approx(typical / len(absent))
