"""captions/<method>.jsonl: one line an answer, appended batch by batch; a line that was cut off is dropped, others are never changed."""

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from probes.command.cli import BadInput
from probes.command.files import note
from probes.command.lock import Held, held
from probes.command.strict_json import json_text


@dataclass(frozen=True)
class AnswerLine:
    """What came of one question.

    Attributes
    ----------
    key, image_id, prompt : of the question
    caption : what the subject said; "" if it was set aside
    tokens : generated
    seconds : the item's share of its batch's time
    batch : how many were generated together
    rate : mean smoothing rate of the batch, over the tokens of its answers; None without a method
    error : why it was set aside; "" if it was not
    file_name : of the image, as the plan has it; "" in files of earlier versions
    """

    key: str
    image_id: int
    prompt: str
    caption: str = ""
    tokens: int = 0
    seconds: float = 0.0
    batch: int = 1
    rate: float | None = None
    error: str = ""
    file_name: str = ""


TYPES = {
    **dict.fromkeys(("key", "prompt", "caption", "error", "file_name"), str),
    **dict.fromkeys(("image_id", "tokens", "batch"), int),
    **{"seconds": int | float, "rate": int | float | None},
}


@dataclass(frozen=True)
class AnswerStore:
    """The answers of one method."""

    path: Path

    def read(self) -> dict[str, AnswerLine]:
        """By key, the last line of each; what is behind the last line break is no line.

        Raises
        ------
        BadInput : a line that is no such line
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        found: dict[str, AnswerLine] = {}
        for number, line in enumerate(content[: content.rfind(b"\n") + 1].splitlines(), 1):
            try:
                made = AnswerLine(**json.loads(line))
                if not all(isinstance(getattr(made, name), kind) for name, kind in TYPES.items()):
                    raise TypeError
            except (ValueError, TypeError, RecursionError) as error:
                raise BadInput(f"{self.path}, line {number}: is no answer of a benchmark; remove that line, it is asked again.") from error
            found[made.key] = made
        return found

    def append(self, lines: Iterable[AnswerLine]) -> None:
        """Write lines behind the others, on the disk when this returns; a part of a line that a killed run left is removed first."""
        text = "".join(json_text(_told(line), ensure_ascii=False) + "\n" for line in lines)
        if not text:
            return
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with open(self.path, "ab+") as file:
            file.truncate(_whole(file))
            file.seek(0, os.SEEK_END)
            file.write(text.encode("utf-8", "replace"))
            file.flush()
            os.fsync(file.fileno())
        note(self.path)


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Hold the folder; it is free again when the process ends, however it ends.

    Raises
    ------
    BadInput : another run holds it
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with held(folder, wait=False):
            yield
    except Held:
        raise BadInput(f"{folder}: another run writes here; wait for it, or choose another --out.") from None


def _told(line: AnswerLine) -> dict[str, Any]:
    told = asdict(line)
    told["seconds"] = round(line.seconds, 4)
    left_out = {"error": "", "rate": None, "file_name": ""}
    return {name: value for name, value in told.items() if name not in left_out or value != left_out[name]}


def _whole(file: Any) -> int:
    """Bytes up to and with the last line break."""
    end = file.seek(0, os.SEEK_END)
    while end:
        start = max(0, end - 65536)
        file.seek(start)
        at = file.read(end - start).rfind(b"\n")
        if at >= 0:
            return start + at + 1
        end = start
    return 0
