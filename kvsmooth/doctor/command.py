"""The command: a line for each thing that it looked at; the exit status says whether something is broken."""

import sys
import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import transformers

from kvsmooth.doctor.finding import Finding, first_line
from kvsmooth.doctor.machine import machine
from kvsmooth.doctor.model import Patient, examined, text_model
from kvsmooth.doctor.rooms import rooms
from kvsmooth.output import tell

USAGE = """usage: python -m kvsmooth doctor [--model M]

Looks at packages, devices, NLTK, the places that are written to; and at a model, with a few decoding steps, what of the method it supports.

options:
  --model M  a bundled subject, a folder, or a model of the hub as owner/name or owner/name@revision

exit status: 0 all is well, 1 something is broken, 2 the options cannot be used, or the model cannot be loaded with all its weights

examples:
  python -m kvsmooth doctor
  python -m kvsmooth doctor --model emoji
  python -m kvsmooth doctor --model models/mine
"""


def doctor(words: list[str]) -> int:
    """Look, and say; the exit status."""
    if words in (["-h"], ["--help"]):
        tell(USAGE)
        return 0
    name = None
    if words:
        option, equals, value = words[0].partition("=")
        given = [value, *words[1:]] if equals else words[1:]
        if option != "--model" or len(given) != 1 or not given[0]:
            return _refused(f"it takes --model and the name of a model; got {' '.join(words)}.")
        name = given[0]
    with _warnings_in_a_line():
        return _looked(name)


def _looked(name: str | None) -> int:
    transformers.logging.set_verbosity_error()
    if not sys.stderr.isatty():
        transformers.logging.disable_progress_bar()
    found = _told("this machine", (finding for part in (machine, *(room.machine for room in rooms())) for finding in part()))
    if name is not None:
        try:
            patient = _patient(name)
        except ValueError as error:
            return _refused(str(error))
        except Exception as error:  # each model and library has errors of its own
            return _refused(f"{name} cannot be tried: {type(error).__name__}: {first_line(error)}")
        found += _told(f"{name}, given {patient.given}", examined(patient))
    broken = [finding.what for finding in found if finding.state == "broken"]
    tell(f"{len(broken)} broken: {', '.join(broken)}\n" if broken else "Nothing is broken.\n")
    return int(bool(broken))


def _patient(name: str) -> Patient:
    """The model, as the first room takes it that can."""
    for room in rooms():
        patient: Patient | None = room.subject(name) if hasattr(room, "subject") else None
        if patient is not None:
            return patient
    return text_model(name)


def _told(title: str, findings: Iterable[Finding]) -> list[Finding]:
    """Each as soon as it is known: a model takes its time."""
    tell(f"{_shown(title)}\n")
    found = []
    for finding in findings:
        tell(f"  {finding.state:6}  {finding.what:18}  {_shown(finding.told)}\n")
        found.append(finding)
    tell("\n")
    return found


def _refused(line: str) -> int:
    _complain(line)
    return 2


def _complain(line: str) -> None:
    sys.stderr.write(f"python -m kvsmooth doctor: {_shown(' '.join(line.split()))}\n")


@contextmanager
def _warnings_in_a_line() -> Iterator[None]:
    """Those meant for users, each told once, whatever PYTHONWARNINGS makes of warnings; those for programmers are not told."""
    said = set()

    def show(message: Warning | str, *where: Any, **more: Any) -> None:
        if str(message) not in said:
            said.add(str(message))
            _complain(str(message))

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        warnings.simplefilter("always", UserWarning)
        warnings.showwarning = show
        yield


def _shown(line: str) -> str:
    """A line whose control signs, as a name may hold them, reach no terminal."""
    return "".join(sign if sign.isprintable() else ascii(sign)[1:-1] for sign in line)
