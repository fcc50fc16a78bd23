"""Yes-or-no questions from any annotated images: objects that are there, and absent ones chosen at random, by frequency, or by company.

Li et al. 2023, "Evaluating Object Hallucination in Large Vision-Language Models" (POPE). Departures from the authors' program, none of
which changes what is asked for: images come in the order of their ids (theirs: a shuffled list), random choices are seeded image by
image (the state of their generator is not published, so their files cannot be made again; read them instead), an object that an image
lists twice counts once, and an image that has every object is told (theirs then searches without end).
"""

import random
from collections import Counter
from collections.abc import Collection, Mapping, Sequence

from analysis.datasets.pope_question import STRATEGIES, PopeQuestion, worded
from probes.command.cli import BadInput

PER_IMAGE = 3


def poll(
    objects: Mapping[int, Sequence[str]],
    images: Mapping[int, str] | Collection[int],
    per_image: int = PER_IMAGE,
    seed: int = 0,
    wording: str = "official",
) -> list[PopeQuestion]:
    """The questions of all three strategies on the same images; see `build_pope`."""
    return [question for name in STRATEGIES for question in build_pope(objects, name, images, per_image, seed, wording)]


def eligible(objects: Mapping[int, Sequence[str]], per_image: int = PER_IMAGE) -> list[int]:
    """Ids, sorted, of the images that have at least `per_image` distinct objects: only these are asked about."""
    return sorted(image_id for image_id, names in objects.items() if len(set(names)) >= per_image)


def build_pope(
    objects: Mapping[int, Sequence[str]],
    strategy: str,
    images: Mapping[int, str] | Collection[int],
    per_image: int = PER_IMAGE,
    seed: int = 0,
    wording: str = "official",
) -> list[PopeQuestion]:
    """`per_image` objects that are there and as many that are not, of each image that has at least so many, in turns.

    The first `per_image` objects of an image are asked for, in its own order. After each follows an absent object that this image was
    not asked for yet: any object of the set ("random"), the most frequent one ("popular"), or the one that most often shares an image
    with the object just asked for ("adversarial"). Frequencies are counted on the images asked about; of equals the one seen first
    wins; where nothing is left, the choice is random.

    Parameters
    ----------
    objects : by image id, the names of its objects; the order matters
    images : ids to ask about with their file names, or ids alone
    per_image : pairs of questions an image
    seed : of the random choices; one image's do not depend on another's

    Raises
    ------
    BadInput : an image without annotation, or one that has every object of the set
    ValueError : no such strategy, or `per_image` below 1
    """
    if strategy not in STRATEGIES:
        raise ValueError(f"build_pope.strategy must be one of {', '.join(STRATEGIES)}; got {strategy!r}.")
    if per_image < 1:
        raise ValueError(f"build_pope.per_image must be a positive integer; got {per_image}.")
    names = images if isinstance(images, Mapping) else dict.fromkeys(images, "")
    unknown = sorted(set(names) - set(objects))
    if unknown:
        raise BadInput(f"{len(unknown)} images have no annotation, the first is {unknown[0]}; leave them out or add annotations.")
    there = {i: list(dict.fromkeys(objects[i])) for i in sorted(names) if len(set(objects[i])) >= per_image}
    frequency: Counter[str] = Counter()
    company: dict[str, Counter[str]] = {}
    for found in there.values():
        frequency.update(found)
        for one in found:
            company.setdefault(one, Counter()).update(other for other in found if other != one)
    # Counter.most_common keeps equals in the order in which they were first counted
    popular = [name for name, _ in frequency.most_common()]
    beside = {one: [name for name, _ in others.most_common()] for one, others in company.items()}
    asked: list[tuple[int, str, str]] = []
    for image_id, found in there.items():
        generator, history = random.Random(f"{seed} {strategy} {image_id}"), set(found)
        for one in found[:per_image]:
            ranked = {"random": [], "popular": popular, "adversarial": beside[one]}[strategy]
            absent = next((name for name in ranked if name not in history), None)
            if absent is None:
                left = [name for name in frequency if name not in history]
                if not left:
                    raise BadInput(
                        f"image {image_id}: no absent object is left to ask for, the {len(there)} images have {len(frequency)} objects in "
                        "all; ask about more images."
                    )
                absent = generator.choice(left)
            history.add(absent)
            asked += [(image_id, one, "yes"), (image_id, absent, "no")]
    return [
        PopeQuestion(f"{strategy}/{number}", image_id, names[image_id], worded(name, wording), label, name, strategy)
        for number, (image_id, name, label) in enumerate(asked, 1)
    ]
