"""Classes of objects against loops over sets, and risk sets by hand."""

import numpy as np
import pandas as pd
import pytest

from analysis.objects.classes import NEVER, classify, company, first_mentions, present_objects
from analysis.objects.names import CLASSES
from analysis.objects.sample import Objects, indistinct, members, objects_of
from probes.command.cli import BadInput
from tests.analysis.objects.synthetic import NAMES, annotations, present_of, recording


def test_classes_are_a_partition_and_typical_ones_are_of_the_same_kind():
    present = present_of(40)
    named = np.zeros_like(present)
    named[0, 5] = named[1, 20] = True
    classes = classify(present, named)
    assert (classes.sum(axis=0) == 1).all()
    by_name = dict(zip(CLASSES, classes, strict=True))
    np.testing.assert_array_equal(by_name["present"], present)
    np.testing.assert_array_equal(by_name["hallucinated"], named & ~present)
    for image in range(40):
        own = set(range(6 * (image % 4), 6 * (image % 4) + 6))
        absent = {o for o in own if not present[image, o] and not named[image, o]}
        assert set(np.flatnonzero(by_name["typical"][image])) == absent


def test_company_is_the_mean_share_of_other_images():
    present = np.random.default_rng(0).random((12, 7)) < 0.4
    found = company(present)
    for i in range(12):
        own = [p for p in range(7) if present[i, p]]
        for o in range(7):
            if present[i, o] or not own:
                continue
            shares = []
            for p in own:
                others = [k for k in range(12) if k != i and present[k, p]]
                shares.append(np.mean([present[k, o] for k in others]) if others else 0.0)
            assert found[i, o] == pytest.approx(np.mean(shares))


def test_first_mentions_take_the_earliest_and_pass_over_what_is_unknown():
    table = pd.DataFrame(
        [(7, "kvsmooth", 9, "cat"), (7, "kvsmooth", 4, "cat"), (8, "baseline", 2, "cup"), (9, "baseline", 1, "cat"), (7, "x", 1, "cup")],
        columns=["image", "arm", "step", "object"],
    )
    first = first_mentions(table, ["baseline", "kvsmooth"], [7, 8], ["cat", "cup"])
    assert first.tolist() == [[[NEVER, NEVER], [NEVER, 2]], [[4, NEVER], [NEVER, NEVER]]]


def test_sets_end_before_the_step_that_says_the_object():
    classes = np.array([[[True, False, False]], [[False, True, False]], [[False, False, True]], [[False, False, False]]])
    objects = Objects(np.array([1]), ("cat", "cup", "bus"), classes, {})
    first = np.array([[2, NEVER, 0]])
    assert members(objects, "present", first, 4)[0, :, 0].tolist() == [True] * 4
    assert members(objects, "present unsaid", first, 4)[0, :, 0].tolist() == [True, True, False, False]
    assert members(objects, "hallucinated unsaid", first, 4)[0, :, 1].tolist() == [True] * 4
    assert not members(objects, "present unsaid", first, 4)[0, :, 1:].any()


def test_hallucinated_are_what_either_arm_names_and_images_without_annotations_are_left_out():
    known = annotations(10)
    known["images"] = known["images"][:9]
    known["annotations"] = [one for one in known["annotations"] if one["image_id"] < 9]
    free = recording(images=10)
    objects = objects_of(free, known)
    assert objects.image.tolist() == list(range(9))
    present = present_objects({i: frozenset() for i in range(9)}, objects.image, NAMES)
    assert not present.any()
    for image in range(9):
        said = {word for arm in range(2) for word in str(free["caption"].values[arm, image]).split()} & set(NAMES)
        absent = {name for name, here in zip(NAMES, present_of(10)[image], strict=True) if not here}
        assert {NAMES[o] for o in np.flatnonzero(objects.classes[1][image])} == said & absent
    with pytest.raises(BadInput, match="hold none of the recorded images"):
        objects_of(free, known | {"images": [], "annotations": []})
    with pytest.raises(BadInput, match="has no object_logit"):
        objects_of(free.drop_vars("object_logit"), known)


def test_objects_that_first_tokens_do_not_tell_apart_are_dropped_with_a_reason():
    free = recording(images=3)
    logit = free["object_logit"]
    logit.values[..., 3] = logit.values[..., 8]
    logit.values[..., 5] = np.nan
    found = indistinct(logit)
    assert found == {
        "couch": "first token shared by couch, cow",
        "cow": "first token shared by couch, cow",
        "book": "no first token",
    }
