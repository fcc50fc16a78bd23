"""What the story reads: of each subject its dose question and, where it was asked, the ablation; across subjects language and published."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import xarray as xr

from analysis.question.question import by_name
from probes.command.cli import BadInput
from probes.subjects.bundled import BUNDLED

Rows = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class SubjectResults:
    """One subject's files.

    Attributes
    ----------
    name : of the subject
    dose : rows of its dose question; `reduced` the data, `origin` the provenance
    ablation : rows of its ablation, none where it was not asked on the same scenes
    """

    name: str
    dose: Rows
    reduced: xr.Dataset
    origin: Mapping[str, Any]
    ablation: Rows


def read(figures: Path) -> list[SubjectResults]:
    """The bundled subjects of which the dose question was asked.

    Raises
    ------
    BadInput : none was, or a file cannot be read
    """
    found = [_subject(name, figures / name) for name in BUNDLED if (figures / name / "dose" / "dose.json").is_file()]
    if not found:
        raise BadInput(f"--figures {figures}: no subject's dose question lies there; run python -m analysis.dose first.")
    return found


def rows_of(path: Path) -> Rows:
    """Rows of a results file by name; none where there is no file."""
    try:
        return by_name(json.loads(path.read_text(encoding="utf-8"))["results"])
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise BadInput(f"{path}: cannot be read as a results file ({type(error).__name__}); run its question again.") from error


def _subject(name: str, folder: Path) -> SubjectResults:
    path = folder / "dose" / "dose.json"
    try:
        origin = json.loads(path.read_text(encoding="utf-8"))["provenance"]
        reduced = xr.load_dataset(path.with_suffix(".nc"), engine="h5netcdf")
    except (OSError, ValueError, KeyError) as error:
        raise BadInput(f"{path}: cannot be read ({type(error).__name__}); run python -m analysis.dose again.") from error
    ablation = rows_of(folder / "ablation" / "ablation.json")
    same = bool(ablation) and next(iter(ablation.values()))["n"] == origin["n"]
    return SubjectResults(name, rows_of(path), reduced, origin, ablation if same else {})
