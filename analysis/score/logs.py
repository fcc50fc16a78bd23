"""Caption logs as evaluation programs leave them, each told by its content: what `read_answers` reads, and further shapes.

CHAIR's own output (`sentences`), lmms-eval's samples (`doc`, `resps`; its older `logs`), VLMEvalKit's predictions (`prediction`; a table or
JSON), LLaVA's answers (`question_id`, `text`), one object of captions by image, and a folder with one text file an image.
"""

import csv
import io
import json
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from analysis.datasets.files import json_document, json_objects, number_in, opened, text_of
from analysis.datasets.image_names import FILES, IMAGES, fields, file_of, image_of
from analysis.metrics.metric import Answer
from analysis.score.answers import TEXTS
from probes.command.cli import BadInput, Notice

TABLES = {".csv": ",", ".tsv": "\t"}
SAID = ("prediction", *TEXTS)
"""Fields of a text; a prediction outdoes the `answer` beside it, which is then the one that was hoped for."""
RESPONSES = ("filtered_resps", "resps")
LISTED = ("sentences", "logs")
"""Fields of a file that is one object, under which its answers are listed: of CHAIR's output, and of lmms-eval's older logs."""


def read_log(path: Path) -> list[Answer]:
    """What a log says, in its order.

    Raises
    ------
    BadInput : the file, a line or a field cannot be used; it says which
    """
    if path.is_dir():
        return [_of_file(file) for file in log_files(path)]
    found, by_question = [], ""
    for where, line in _lines(path):
        asked = {**line, **doc} if isinstance(doc := line.get("doc"), dict) else line
        question = asked.get("question_id")
        if isinstance(question, str) and not any(name in asked for name in FILES) and file_of({"image": question}):
            asked = asked | {"image": question}
        elif question is not None and not any(name in asked for name in IMAGES):
            by_question = by_question or where
            asked = asked | {"image_id": question}
        found.append(Answer(image_of(asked, where), _text(line, where), file=file_of(asked)))
    if by_question:
        told = f"{by_question} and those like it name no image: question_id is read as the image; if it numbers questions, add image_id."
        warnings.warn(told, Notice, stacklevel=2)
    return found


def log_files(path: Path) -> list[Path]:
    """The files that a log consists of: itself, or those of a folder that hold a text each, by name.

    Raises
    ------
    BadInput : a folder without such a file
    """
    if not path.is_dir():
        return [path]
    files = sorted(file for file in path.iterdir() if file.suffix.lower() == ".txt" and file.is_file())
    if not files:
        raise BadInput(f"{path}: holds no file of captions; one text file an image is needed, named by it (COCO_val2014_000000000042.txt).")
    return files


def _of_file(file: Path) -> Answer:
    number = number_in(file.name)
    if number is None:
        raise BadInput(f"{file}: which image is it? The last digits of the file's name must be the image's number; rename it.")
    return Answer(number, text_of({"text": _decoded(file).removesuffix("\n")}, "text", str(file)), file=file.name)


def _lines(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    if path.suffix.lower() == ".xlsx":
        raise BadInput(f"{path}: tables of Excel are not read; save it as CSV or TSV.")
    if path.suffix.lower() in TABLES:
        yield from _rows(path)
        return
    whole = _one_object(path)
    if whole is None:
        yield from json_objects(path)
        return
    listed = next((name for name in LISTED if isinstance(whole.get(name), list)), None)
    if listed is None:
        for image, text in whole.items():
            yield f"{path}, {image[:60]!r}", {"image_id": image, "caption": text}
        return
    for number, line in enumerate(whole[listed], 1):
        if not isinstance(line, dict):
            raise BadInput(f"{path}, {listed} {number}: a JSON object is needed, this is none.")
        yield f"{path}, {listed} {number}", line


def _one_object(path: Path) -> dict[str, Any] | None:
    """The object of a file that is one: over several lines, with a list of answers, or of texts by image; None for lines and lists."""
    with opened(path) as file:
        first = next((line for line in file if line.strip()), b"").removeprefix(b"\xef\xbb\xbf").strip()
        alone = not any(line.strip() for line in file)
    if not first.startswith(b"{"):
        return None
    line = _loosely(first)
    if line is not None:
        return json_document(path) if alone and isinstance(line, dict) and _is_log(line) else None
    if alone or (first != b"{" and first.endswith(b"}")):  # one line that is torn is told as a line
        return None
    whole = json_document(path)
    return whole if isinstance(whole, dict) and _is_log(whole) else None


def _loosely(line: bytes) -> Any:
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None


def _is_log(found: dict[str, Any]) -> bool:
    return any(isinstance(found.get(name), list) for name in LISTED) or (bool(found) and all(number_in(name) is not None for name in found))


def _rows(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    text = _decoded(path)
    csv.field_size_limit(1 << 30)  # VLMEvalKit's tables may hold the image itself
    for number, row in enumerate(csv.DictReader(io.StringIO(text, newline=""), delimiter=TABLES[path.suffix.lower()]), 2):
        yield f"{path}, row {number}", {name: value for name, value in row.items() if name is not None and value is not None}


def _decoded(path: Path) -> str:
    with opened(path) as file:
        try:
            return file.read().decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise BadInput(f"{path}: no UTF-8 (byte {error.start}); save the file as UTF-8.") from None


def _text(line: dict[str, Any], where: str) -> str:
    given = next((line[name] for name in RESPONSES if line.get(name)), None)
    if given is not None:
        while isinstance(given, list) and given:
            given = given[0]
        return text_of({"resps": given}, "resps", where)
    name = next((name for name in SAID if name in line), None)
    if name is None:
        raise BadInput(f"{where}: what was said? One of {', '.join((*SAID, *RESPONSES))} is needed; got {fields(line)}.")
    return text_of(line, name, where)
