"""The tests of analysis/published, and a small world for them: invented images, captions of a sentence an object, planted methods."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np

IMAGES = 90
OBJECTS = (
    *("dog", "cat", "horse", "bird", "car", "bus", "train", "truck", "boat", "bench", "bear", "zebra", "cup", "fork", "knife", "spoon"),
    *("bowl", "banana", "apple", "orange", "pizza", "cake", "chair", "couch", "bed", "clock", "vase", "sheep", "cow", "elephant"),
)
SENTENCES = (
    *("A {} is seen.", "Here stands one {}.", "Next to that we find a {}.", "Some {} can be made out.", "Further left, a {} appears."),
    *(
        "Behind it someone put a {}.",
        "On top lies the {}.",
        "One more thing: a {}.",
        "To the right, note the {}.",
        "Finally, there is a {}.",
    ),
    *("Beside them rests another {}.", "Also, one sees a {}.", "Below, people left a {}.", "Up there hangs a {}."),
)
Sentence = tuple[str, bool]
"""A sentence and whether its object is absent."""


def world(seed: int = 0, images: int = IMAGES) -> tuple[dict[int, list[str]], dict[int, list[Sentence]]]:
    """The objects of each image, and its caption sentence by sentence; the later a sentence, the likelier its object is absent."""
    rng = np.random.default_rng(seed)
    truth, said = {}, {}
    for number in range(1, images + 1):
        chosen = [str(name) for name in rng.permutation(OBJECTS)]
        truth[number], others = chosen[:9], chosen[9:]
        true, caption = iter(truth[number]), []
        for place in range(int(rng.integers(6, 11))):
            absent = rng.random() < 0.05 + 0.04 * place or place > 8
            caption.append((SENTENCES[place].format(others[place] if absent else next(true)), bool(absent)))
        said[number] = caption
    return truth, said


def dropping(chance: Callable[[bool, float], float], seed: int) -> Callable[[list[Sentence]], list[Sentence]]:
    """A method that drops sentences: `chance` of a sentence's absence and of how far into the caption it stands."""
    rng = np.random.default_rng(seed)
    return lambda caption: [one for i, one in enumerate(caption) if rng.random() >= chance(one[1], (i + 0.5) / len(caption))]


def looping(caption: list[Sentence]) -> list[Sentence]:
    """A method that says its first true sentence over and over at the end."""
    return caption + [next(one for one in caption if not one[1])] * 8


METHODS = {
    "greedy": lambda caption: caption,
    "at random": dropping(lambda absent, far: 0.4, 1),
    "late": dropping(lambda absent, far: float(far > 0.55), 2),
    "loop": looping,
    "oracle": dropping(lambda absent, far: 0.8 * absent, 3),
    "both": dropping(lambda absent, far: 0.85 if absent else 0.3, 4),
    "worse": dropping(lambda absent, far: 0.0 if absent else 0.3, 5),
}


def write_world(folder: Path, methods=tuple(METHODS), licence="MIT", images: int = IMAGES) -> tuple[Path, Path]:
    """Logs of the methods with their table, and the annotations."""
    truth, said = world(images=images)
    logs = folder / "captions"
    logs.mkdir(parents=True, exist_ok=True)
    rows = ["file,model,method,settings,repository,path,licence"]
    for name in methods:
        lines = [{"image_id": i, "caption": " ".join(text for text, _ in METHODS[name](caption))} for i, caption in said.items()]
        (logs / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        rows.append(f"{name}.jsonl,Invented-7B,{name},,ours/world,logs/{name}.jsonl,{licence}")
    (folder / "logs.csv").write_text("\n".join(rows) + "\n")
    annotations = folder / "truth.jsonl"
    annotations.write_text("".join(json.dumps({"image_id": i, "objects": names}) + "\n" for i, names in truth.items()))
    return logs, annotations
