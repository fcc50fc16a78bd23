"""The kinds of scene: where the bundled subject's objects belong.

A kind lists the objects that belong there with falling weights: ``main`` ones are drawn large, ``background`` ones small.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Kind:
    """A kind of scene: its name with an article, its colours, and the objects that belong there, the likeliest first.

    Parameters
    ----------
    name
        Noun phrase with its article, as a caption says it.
    where
        The same with its preposition.
    upper, lower
        RGB colours (0 to 255) of the upper and the lower part of the scene.
    main, background
        Names of objects, the likeliest first.
    habit
        Chance (0 to 1) that a writer ends a caption of this kind with the most typical background object though it is not there.
    """

    name: str
    where: str
    upper: tuple[int, int, int]
    lower: tuple[int, int, int]
    main: tuple[str, ...]
    background: tuple[str, ...]
    habit: float

    def __post_init__(self) -> None:
        if not 0 <= self.habit <= 1:
            raise ValueError(f"Kind.habit must be a share between 0 and 1; got {self.habit}.")


SKY, GRASS, STONE, SAND, WOOD = (190, 222, 245), (176, 214, 150), (196, 196, 200), (236, 222, 176), (214, 186, 152)
KINDS = (
    Kind(
        "a city street",
        "on a city street",
        (205, 214, 226),
        (170, 170, 176),
        ("car", "person", "bus", "traffic light", "bicycle", "truck", "dog", "motorcycle", "stop sign"),
        ("traffic light", "stop sign", "bird", "car"),
        0.75,
    ),
    Kind(
        "a kitchen",
        "in a kitchen",
        (250, 240, 214),
        (222, 200, 170),
        ("bowl", "bottle", "dining table", "knife", "banana", "apple", "potted plant", "cake", "carrot", "cat"),
        ("cup", "spoon", "clock", "bottle"),
        0.7,
    ),
    Kind(
        "a living room",
        "in a living room",
        (240, 222, 226),
        (200, 164, 140),
        ("couch", "tv", "chair", "cat", "potted plant", "dog", "person", "teddy bear", "dining table"),
        ("book", "vase", "clock", "cup"),
        0.25,
    ),
    Kind(
        "an office",
        "in an office",
        (226, 232, 232),
        (190, 190, 182),
        ("laptop", "chair", "keyboard", "person", "mouse", "potted plant", "tie", "book"),
        ("cell phone", "cup", "book", "clock"),
        0.7,
    ),
    Kind(
        "a bedroom",
        "in a bedroom",
        (222, 214, 242),
        (206, 186, 172),
        ("bed", "teddy bear", "chair", "cat", "laptop", "handbag", "tv", "person"),
        ("clock", "book", "cell phone", "teddy bear"),
        0.3,
    ),
    Kind(
        "a bathroom",
        "in a bathroom",
        (214, 242, 242),
        (186, 214, 222),
        ("toilet", "potted plant", "scissors", "person", "bottle", "cat", "chair", "vase"),
        ("toothbrush", "cup", "bottle", "scissors"),
        0.75,
    ),
    Kind(
        "a farm",
        "on a farm",
        SKY,
        (196, 206, 122),
        ("cow", "horse", "sheep", "truck", "dog", "person", "cat", "bicycle"),
        ("bird", "sheep", "dog", "bear"),
        0.25,
    ),
    Kind(
        "a savanna",
        "on a savanna",
        (246, 226, 186),
        (222, 196, 120),
        ("elephant", "zebra", "giraffe", "truck", "bear", "person", "cow", "horse"),
        ("bird", "zebra", "giraffe", "elephant"),
        0.7,
    ),
    Kind(
        "a sandy beach",
        "on a sandy beach",
        (166, 216, 246),
        SAND,
        ("umbrella", "person", "sports ball", "dog", "frisbee", "bottle", "backpack", "chair", "kite"),
        ("boat", "kite", "bird", "sports ball"),
        0.7,
    ),
    Kind(
        "a snowy hill",
        "on a snowy hill",
        (206, 226, 246),
        (244, 246, 250),
        ("skis", "person", "bear", "dog", "backpack", "truck", "horse", "chair"),
        ("bird", "backpack", "skis", "person"),
        0.25,
    ),
    Kind(
        "a park",
        "in a park",
        (186, 226, 236),
        GRASS,
        ("dog", "bicycle", "person", "frisbee", "kite", "skateboard", "sports ball", "umbrella", "cat"),
        ("bird", "sports ball", "kite", "bicycle"),
        0.3,
    ),
    Kind(
        "an airport",
        "at an airport",
        (196, 212, 230),
        (202, 202, 206),
        ("airplane", "suitcase", "person", "bus", "truck", "backpack", "chair", "tie"),
        ("handbag", "suitcase", "clock", "backpack"),
        0.25,
    ),
    Kind(
        "a harbor",
        "at a harbor",
        (196, 226, 240),
        (140, 186, 222),
        ("boat", "person", "car", "truck", "bicycle", "dog", "train", "motorcycle"),
        ("bird", "boat", "clock", "umbrella"),
        0.7,
    ),
    Kind(
        "a picnic",
        "at a picnic",
        (222, 240, 200),
        (150, 196, 120),
        ("sandwich", "apple", "orange", "cake", "banana", "wine glass", "donut", "pizza", "dog", "hot dog"),
        ("bottle", "cup", "apple", "knife"),
        0.3,
    ),
    Kind(
        "a market",
        "at a market",
        (246, 216, 182),
        (206, 172, 142),
        ("banana", "apple", "broccoli", "carrot", "person", "orange", "bicycle", "umbrella", "vase"),
        ("handbag", "orange", "apple", "carrot"),
        0.7,
    ),
    Kind(
        "a restaurant",
        "in a restaurant",
        (226, 186, 172),
        (170, 120, 102),
        ("dining table", "pizza", "chair", "bowl", "person", "hot dog", "cake", "sandwich", "vase"),
        ("wine glass", "spoon", "knife", "bottle"),
        0.75,
    ),
    Kind(
        "a classroom",
        "in a classroom",
        (236, 242, 202),
        WOOD,
        ("book", "chair", "backpack", "person", "laptop", "keyboard", "tv", "scissors", "mouse"),
        ("clock", "apple", "scissors", "book"),
        0.3,
    ),
    Kind(
        "a railway platform",
        "on a railway platform",
        (216, 216, 212),
        STONE,
        ("train", "person", "suitcase", "backpack", "umbrella", "dog", "bicycle", "handbag"),
        ("clock", "suitcase", "bird", "cell phone"),
        0.7,
    ),
    Kind(
        "a playground",
        "on a playground",
        (196, 236, 216),
        (226, 180, 142),
        ("sports ball", "skateboard", "person", "bicycle", "teddy bear", "kite", "dog", "frisbee"),
        ("backpack", "bottle", "sports ball", "bird"),
        0.25,
    ),
)
