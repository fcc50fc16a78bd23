"""POPE's question files: one JSON object a line, one file a strategy, as their owners distribute them."""

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from analysis.datasets.files import json_objects, number_in, number_of, text_of
from analysis.datasets.pope_building import build_pope, eligible, poll
from analysis.datasets.pope_question import LABELS, STRATEGIES, PopeQuestion, asked_for, worded
from probes.command.cli import BadInput
from probes.command.files import write_bytes

__all__ = ["STRATEGIES", "PopeQuestion", "build_pope", "eligible", "poll", "question_files", "read_pope", "worded", "write_pope"]

_OF_A_STRATEGY = re.compile(rf"pope_({'|'.join(STRATEGIES)})\.jsonl?$")


def read_pope(path: str | Path, strategy: str = "") -> list[PopeQuestion]:
    """The questions of a file, or of a folder that holds ``coco_pope_random.json`` and its two sisters.

    Lines are ``{"question_id": 1, "image": "COCO_val2014_000000310196.jpg", "text": "Is there a snowboard in the image?", "label":
    "yes"}``; an ``image_id`` is taken where it stands there, else it is the number at the end of the image's name. OPERA's copy, which
    asks "in the imange" 144 times, is read as it is.

    Parameters
    ----------
    strategy : of a single file; "" takes it from the file's name

    Raises
    ------
    BadInput : no such file; a line without one of the four fields; a label other than yes and no; a question_id twice; a name that does
        not tell the strategy; a strategy given for a folder
    """
    path = Path(path)
    if not path.is_dir():
        return _questions(path, strategy or _strategy(path))
    if strategy:
        raise BadInput(f"{path}: the names of a folder's files tell their strategies; give the {strategy} file alone, or no strategy.")
    return [question for name, file in _of_strategies(path).items() for question in _questions(file, name)]


def question_files(path: str | Path) -> list[Path]:
    """The files that `read_pope` reads."""
    return list(_of_strategies(Path(path)).values()) if Path(path).is_dir() else [Path(path)]


def _of_strategies(path: Path) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for file in sorted(path.iterdir()):
        named = _OF_A_STRATEGY.search(file.name)
        if named and named[1] in found:
            raise BadInput(f"{path}: both {found[named[1]].name} and {file.name} hold {named[1]} questions; keep one of them.")
        if named:
            found[named[1]] = file
    if not found:
        raise BadInput(f"{path}: no file of questions in this folder; names such as coco_pope_random.json are looked for.")
    return {name: found[name] for name in STRATEGIES if name in found}


def write_pope(folder: str | Path, questions: Sequence[PopeQuestion], dataset: str = "coco") -> list[Path]:
    """Write questions as their owners do, one file a strategy, named ``<dataset>_pope_<strategy>.json``; `read_pope` gives them again.

    A file is whole or it is not there.
    """
    paths = []
    for strategy in dict.fromkeys(question.strategy for question in questions):
        path = Path(folder) / f"{dataset}_pope_{strategy}.json"
        lines = [json.dumps(_line(question)) for question in questions if question.strategy == strategy]
        write_bytes(path, ("\n".join(lines) + "\n").encode())
        paths.append(path)
    return paths


def _questions(path: Path, strategy: str) -> list[PopeQuestion]:
    found: dict[str, PopeQuestion] = {}
    for where, line in json_objects(path):
        key = f"{strategy}/{number_of(line, 'question_id', where)}"
        if key in found:
            raise BadInput(f"{where}: question_id {key.partition('/')[2]} stands there twice; remove one of the two.")
        label = text_of(line, "label", where).strip().lower()
        if label not in LABELS:
            raise BadInput(f"{where}: 'label' must be yes or no; got {label[:40]!r}.")
        image, text = text_of(line, "image", where), text_of(line, "text", where)
        found[key] = PopeQuestion(key, _image_id(line, image, where), image, text, label, asked_for(text), strategy)
    if not found:
        raise BadInput(f"{path}: no question in this file.")
    return list(found.values())


def _image_id(line: dict[str, Any], image: str, where: str) -> int:
    if "image_id" in line:
        return number_of(line, "image_id", where)
    found = number_in(image)
    if found is None:
        raise BadInput(f"{where}: the image's name {image[:80]!r} does not end in a number; add an 'image_id'.")
    return found


def _strategy(path: Path) -> str:
    named = [name for name in STRATEGIES if name in path.stem]
    if len(named) != 1:
        raise BadInput(f"{path}: the file's name does not tell one strategy ({', '.join(STRATEGIES)}); rename it or give the strategy.")
    return named[0]


def _line(question: PopeQuestion) -> dict[str, Any]:
    number = question.key.partition("/")[2]
    return {
        "question_id": int(number) if number.isascii() and number.isdigit() else number,
        "image": question.image,
        "image_id": question.image_id,
        "text": question.text,
        "label": question.label,
    }
