"""COCO's eighty objects and the words for them in captions, for subjects of the hub; the bundled subject has words of its own."""

NAMES = (
    *("person", "bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat", "traffic light", "fire hydrant", "stop sign"),
    *("parking meter", "bench", "bird", "cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe", "backpack"),
    *("umbrella", "handbag", "tie", "suitcase", "frisbee", "skis", "snowboard", "sports ball", "kite", "baseball bat", "baseball glove"),
    *("skateboard", "surfboard", "tennis racket", "bottle", "wine glass", "cup", "fork", "knife", "spoon", "bowl", "banana", "apple"),
    *("sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake", "chair", "couch", "potted plant", "bed"),
    *("dining table", "toilet", "tv", "laptop", "mouse", "remote", "keyboard", "cell phone", "microwave", "oven", "toaster", "sink"),
    *("refrigerator", "book", "clock", "vase", "scissors", "teddy bear", "hair drier", "toothbrush"),
)
IRREGULAR = {"person": "people", "knife": "knives", "mouse": "mice"} | {name: name for name in ("sheep", "skis", "scissors", "broccoli")}


def coco_forms() -> dict[str, tuple[str, ...]]:
    """Every object of COCO in singular and plural; a television also in capitals, as captions write it."""
    forms = {name: tuple(dict.fromkeys((name, plural(name)))) for name in NAMES}
    return forms | {"tv": ("TV", "TVs", "tv", "tvs")}


def plural(noun: str) -> str:
    """The plural of one of COCO's names."""
    if noun in IRREGULAR:
        return IRREGULAR[noun]
    return noun + ("es" if noun.endswith(("s", "x", "ch", "sh")) else "s")
