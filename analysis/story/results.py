"""What the story reads: of each subject its dose question and those about how smoothing acts; across subjects language and published."""

import hashlib
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import xarray as xr

from analysis.question.question import read_results, stored_rows
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
    mechanism, form, mediation : rows of these questions, none where they were not asked
    methods : rows of the methods of others on the scenes of the dose question, none where they were not asked there
    anew : rows of doses on the same subject from another training, none where there is none
    """

    name: str
    dose: Rows
    reduced: xr.Dataset
    origin: Mapping[str, Any]
    mechanism: Rows
    form: Rows
    mediation: Rows
    methods: Rows = field(default_factory=dict)
    anew: Rows = field(default_factory=dict)


@dataclass(frozen=True)
class RealLog:
    """Real captions of one method: a log of others, as `analysis.published` compares it with the greedy log beside it.

    Attributes
    ----------
    model, method : in words
    looping, chair_s, repeated : shares of captions, and of runs of four words
    verdict : of the rule there; "" of a greedy log, and of one without a greedy log
    """

    model: str
    method: str
    looping: float
    chair_s: float
    repeated: float
    verdict: str


@dataclass(frozen=True)
class StorySources:
    """All that is told.

    Attributes
    ----------
    subjects : bundled ones whose dose question was asked
    texts : rows of the language question, none where it was not asked
    logs : real captions, none where they were not looked at
    claimed : models whose published row of KVSmooth lies beyond every omission that does not know the single mention
    """

    subjects: Sequence[SubjectResults]
    texts: Rows
    logs: Sequence[RealLog]
    claimed: Sequence[str] = ()


def sources(figures: Path) -> StorySources:
    """Whatever lies under figures/.

    Raises
    ------
    BadInput : no dose question was asked, or a file cannot be read
    """
    published = figures / "published" / "published.json"
    return StorySources(read(figures), stored_rows(figures / "language" / "language.json"), real_logs(published), claimed(published))


def claimed(path: Path) -> list[str]:
    """Models whose published row of KVSmooth has a higher F1 than any omission reaches at its CHAIR_s; none where there is no file.

    Raises
    ------
    BadInput : the file is another version's
    """
    if not path.is_file():
        return []
    try:
        rows = [one for one in json.loads(path.read_text(encoding="utf-8"))["claims"] if one["method"] == "KVSmooth" and "best_line" in one]
        return [one["model"] for one in rows if one["f1"] > one["line_f1"][one["best_line"]]]
    except (KeyError, TypeError) as error:
        raise BadInput(f"{path}: lacks {error}; run python -m analysis.published again.") from error


def real_logs(path: Path) -> list[RealLog]:
    """The logs of a results file of `analysis.published`; none where there is no file."""
    rows = stored_rows(path)
    if not rows:
        return []
    made = []
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        verdicts = {one["log"]: one["verdict"] for one in found["verdicts"]}
        for log in found["logs"]:
            looping, chair_s, repeated = (rows[f"{log['name']}/{name}"]["estimate"] for name in ("looping", "chair_s", "repeated_4grams"))
            made.append(RealLog(log["model"], log["method"], looping, chair_s, repeated, verdicts.get(log["name"], "")))
    except (KeyError, TypeError) as error:
        raise BadInput(f"{path}: lacks {error}; run python -m analysis.published again.") from error
    return made


def read(figures: Path) -> list[SubjectResults]:
    """The bundled subjects of which the dose question was asked.

    Raises
    ------
    BadInput : none was, or a file cannot be read, is of another subject, or does not belong to the data beside it
    """
    found = [_subject(name, figures / name) for name in BUNDLED if (figures / name / "dose" / "dose.json").is_file()]
    if not found:
        raise BadInput(f"--figures {figures}: no subject's dose question lies there; run python -m analysis.dose first.")
    return found


def _subject(name: str, folder: Path) -> SubjectResults:
    path = folder / "dose" / "dose.json"
    try:
        origin = json.loads(path.read_text(encoding="utf-8"))["provenance"]
        content = path.with_suffix(".nc").read_bytes()
        reduced = xr.load_dataset(io.BytesIO(content), engine="h5netcdf")
    except (OSError, ValueError, KeyError, TypeError, RuntimeError) as error:
        raise BadInput(f"{path}: cannot be read ({type(error).__name__}); run python -m analysis.dose again.") from error
    if origin.get("dose_nc_sha256", made := hashlib.sha256(content).hexdigest()) != made:
        raise BadInput(f"{path}: was made of other data than {path.with_suffix('.nc').name} beside it; run python -m analysis.dose again.")
    mechanism, form, mediation = (stored_rows(folder / one / f"{one}.json", name) for one in ("mechanism", "form", "mediation"))
    anew = stored_rows(folder / "grounding_anew" / "grounding.json", name)
    further = (mechanism, form, mediation, _methods(name, folder, origin), anew)
    return SubjectResults(name, stored_rows(path, name), reduced, origin, *further)


def _methods(name: str, folder: Path, origin: Mapping[str, Any]) -> Rows:
    """Of the results on methods of others those on the same scenes, each caption decoded greedily; none where there are none."""
    for path in sorted(folder.glob("methods*/methods.json")):
        rows, told = stored_rows(path, name), read_results(path)["provenance"]
        if told.get("data_hash") == origin.get("data_hash") and told["config"].get("beams", 1) == 1:
            return rows
    return {}
