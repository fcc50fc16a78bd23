"""Questions built from annotations against a rule written out in loops, and their laws."""

import json
import os
import subprocess
import sys
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.datasets.pope import STRATEGIES, build_pope, eligible, poll, worded
from probes.command.cli import BadInput

NAMES = ("dog", "cat", "car", "apple", "oven", "bus", "cup", "bowl", "clock", "bed", "sink", "vase")
SCENES = {
    7: ("dog", "cat", "car"),
    3: ("dog", "car", "bus", "oven"),
    5: ("cup", "bowl", "dog"),
    9: ("dog",),
    4: ("car", "dog", "bed", "cat"),
}


def asked(questions, image_id, label="no"):
    return [question.object for question in questions if question.image_id == image_id and question.label == label]


def by_hand(objects, strategy, per_image):
    """The absent objects of each image, in their order; an image for which chance has to choose is left out."""
    images = [i for i in sorted(objects) if len(objects[i]) >= per_image]
    seen = []
    for i in images:
        for name in objects[i]:
            if name not in seen:
                seen.append(name)
    chosen = {}
    for i in images:
        chosen[i] = []
        for positive in objects[i][:per_image]:
            best, most = None, 0
            for name in seen if strategy == "popular" else in_company_of(positive, objects, images):
                if name in objects[i] or name in chosen[i]:
                    continue
                times = 0
                for j in images:
                    if name in objects[j] and (strategy == "popular" or positive in objects[j]):
                        times += 1
                if times > most:
                    best, most = name, times
            if best is None:
                del chosen[i]
                break
            chosen[i].append(best)
    return chosen


def in_company_of(positive, objects, images):
    """The other objects of the images that have `positive`, in the order in which they are met."""
    met = []
    for j in images:
        if positive in objects[j]:
            met += [name for name in objects[j] if name != positive and name not in met]
    return met


some = st.dictionaries(st.integers(0, 40), st.lists(st.sampled_from(NAMES), unique=True, max_size=6), max_size=8)
# images that have all names between them, so that an absent object is always left
scenes = some.map(lambda objects: objects | {50 + i: list(NAMES[i : i + 4]) for i in range(0, len(NAMES), 4)})


@pytest.mark.parametrize("strategy", ["popular", "adversarial"])
@settings(max_examples=60, deadline=None)
@given(objects=scenes, per_image=st.integers(1, 3))
def test_absent_objects_are_those_of_the_loops(strategy, objects, per_image):
    expected = by_hand(objects, strategy, per_image)
    questions = build_pope(objects, strategy, [*objects], per_image)
    assert {i: asked(questions, i) for i in expected} == expected


@pytest.mark.parametrize("strategy", STRATEGIES)
@settings(max_examples=40, deadline=None)
@given(objects=scenes, per_image=st.integers(1, 3), seed=st.integers(0, 5))
def test_laws_of_the_questions(strategy, objects, per_image, seed):
    images = eligible(objects, per_image)
    pool = {name for i in images for name in objects[i]}
    questions = build_pope(objects, strategy, {i: f"{i:012d}.jpg" for i in objects}, per_image, seed)
    assert [question.image_id for question in questions] == [i for i in images for _ in range(2 * per_image)]
    assert [question.label for question in questions] == ["yes", "no"] * per_image * len(images)
    assert [question.key for question in questions] == [f"{strategy}/{n}" for n in range(1, len(questions) + 1)]
    for i in images:
        assert asked(questions, i, "yes") == objects[i][:per_image]
        absent = asked(questions, i)
        assert len(set(absent)) == per_image
        assert set(absent) <= pool - set(objects[i])


def test_an_image_with_too_few_objects_is_not_asked_about_and_does_not_count():
    questions = build_pope(SCENES, "popular", [*SCENES])
    assert 9 not in {question.image_id for question in questions}
    # without image 9 "car" is in three images, as often as nothing but "dog"
    assert asked(questions, 5) == ["car", "cat", "bus"]


def test_frequencies_are_those_of_the_images_asked_about():
    assert asked(build_pope(SCENES, "popular", [5, 3], per_image=2), 5) == ["car", "bus"]


def test_company_decides_and_chance_fills_in():
    questions = build_pope(SCENES, "adversarial", [*SCENES])
    # of image 5 "cup" and "bowl" are in no other image: their company is all in it, so chance chooses; "dog" is beside "car" three times
    assert asked(questions, 7) == ["bus", "bed", "oven"]
    assert set(asked(questions, 5)) <= {"car", "cat", "bus", "oven", "bed"}


def test_the_order_of_the_annotations_does_not_matter_but_that_of_the_objects_does():
    assert poll(dict(reversed(SCENES.items())), list(reversed(SCENES))) == poll(SCENES, SCENES.keys())
    turned = SCENES | {7: ("car", "cat", "dog")}
    assert asked(poll(turned, [*turned]), 7, "yes")[:3] == ["car", "cat", "dog"]


def test_chance_is_seeded_image_by_image():
    first, again, other = (build_pope(SCENES, "random", [*SCENES], seed=seed) for seed in (1, 1, 2))
    assert first == again
    assert [question.object for question in first] != [question.object for question in other]
    # the same pool of objects with one image fewer: the other images are asked the same
    more = SCENES | {8: ("dog", "cat", "bed")}
    fewer = build_pope(more, "random", [i for i in more if i != 8], seed=1)
    assert all(Counter(asked(first, i)) == Counter(asked(fewer, i)) for i in (7, 3, 5, 4))


def test_another_process_asks_the_same():
    code = (
        "import json; from analysis.datasets.pope import poll; from tests.analysis.datasets.test_pope_building import SCENES;"
        "print(json.dumps([q.object for q in poll(SCENES, [*SCENES])]))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, env=os.environ | {"PYTHONHASHSEED": "7"})
    assert json.loads(told.stdout) == [question.object for question in poll(SCENES, [*SCENES])]


def test_random_objects_are_all_chosen_about_equally_often():
    objects = dict.fromkeys(range(600), ("dog", "cat", "car")) | {600: NAMES[2:5], 601: NAMES[5:8], 602: NAMES[8:11]}
    questions = build_pope(objects, "random", [*objects])
    counts = Counter(name for i in range(600) for name in asked(questions, i))
    assert set(counts) == set(NAMES[3:11])
    assert all(abs(times - 600 * 3 / 8) < 4 * (600 * 3 / 8) ** 0.5 for times in counts.values())


def test_what_cannot_be_asked_is_one_line():
    with pytest.raises(BadInput, match=r"image 1: no absent object is left .* 2 images have 5 objects in all; ask about more images\.$"):
        build_pope({1: NAMES[:3], 2: NAMES[:5]}, "random", [1, 2])
    with pytest.raises(BadInput, match=r"^2 images have no annotation, the first is 11;"):
        build_pope(SCENES, "popular", [12, 3, 11])
    with pytest.raises(ValueError, match="must be one of random, popular, adversarial; got 'rare'"):
        build_pope(SCENES, "rare", [*SCENES])
    with pytest.raises(ValueError, match="positive integer; got 0"):
        build_pope(SCENES, "random", [*SCENES], per_image=0)
    assert poll({}, []) == poll({1: ("dog",)}, [1]) == []


def test_an_object_listed_twice_counts_once():
    twice = {i: (*names, names[0]) for i, names in SCENES.items()}
    assert poll(twice, [*twice]) == poll(SCENES, [*SCENES])


@pytest.mark.parametrize(
    ("name", "official", "imange"),
    [
        ("umbrella", "Is there an umbrella in the image?", "Is there an umbrella in the imange?"),
        ("hair drier", "Is there a hair drier in the image?", "Is there a hair drier in the image?"),
    ],
)
def test_the_article_and_operas_slip(name, official, imange):
    assert worded(name) == official
    assert worded(name, "imange") == imange
    with pytest.raises(ValueError, match="official, imange"):
        worded(name, "free")
