"""Where results are written: over committed files only with the settings that these state, else to out/<subject>-<images>/<question>.

Under figures/, a question's own folder, which is the default of its option, states the question's defaults, and any other folder what its
results file says of itself. Whatever else is asked for leaves figures/ and docs/ as they are.
"""

import json
import re
import warnings
from collections.abc import Collection
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, TypeVar

from analysis.question.question import FREE, Question
from analysis.telling.pages import PAGE
from probes.command.cli import BadInput, Notice
from probes.command.strict_json import as_plain

Config = TypeVar("Config", bound=Any)

COMMITTED, TRIALS = Path("figures"), Path("out")
UNNUMBERED = (*FREE, "only")
"""Options that decide no number."""
IMAGES = ("subject", "images", "image_folder")
RECORDED = (*IMAGES, "annotations", "captions", "prompt", "batch_size", "max_new_tokens", "device", "dtype", "lambda_ref")
"""Options that decide what is recorded."""


def placed(question: Question, config: Config) -> Config:
    """The options with the places that may be written; a `Notice` says where files go if not to where they were asked to go.

    What goes elsewhere takes the page along, and the recordings unless they are those of the defaults.

    Parameters
    ----------
    config : with the fields `out`, `page` and `redraw`. A redraw changes no number: it follows the subject and its images alone

    Raises
    ------
    BadInput : the results there are damaged
    """
    default: dict[str, Any] = {field.name: field.default for field in fields(config)}
    if config.redraw:
        moved = config.out == default["out"] and others(config, IMAGES)
    else:
        moved = is_committed(config.out) and not _states(question, config)
    if not moved:
        return config
    folder = trial(config)
    if not config.redraw:
        told = f"files go to {folder / question.name}; {config.out} and {config.page} are left to the settings that they state."
        warnings.warn(told, Notice, stacklevel=3)
    places = {"out": folder / question.name}
    if config.page == default["page"]:
        places["page"] = folder / config.page.name
    for name in ("recordings", "store"):
        if name in default and getattr(config, name) == default[name] and others(config, (*RECORDED, *question.recorded)):
            places[name] = folder / default[name]
    return replace(config, **places)


def trial(config: Any) -> Path:
    """The folder of what is asked of this subject, or model, about so many images, where it looks at images."""
    who = getattr(config, "subject", None) or config.model
    name = Path(who).resolve().name if Path(who).is_dir() else who
    many = f"-{config.images}" if getattr(config, "images", None) is not None else ""
    return TRIALS / f"{re.sub(r'[^A-Za-z0-9.@+-]+', '_', name).strip('.')}{many}"


def others(config: Any, among: Collection[str] | None = None) -> list[str]:
    """Options that decide numbers and are not at their defaults; of some of them, if `among` says which."""
    return [name for name, default, value in numbered(config) if value != default and (among is None or name in among)]


def is_committed(folder: Path) -> bool:
    """Whether a folder is one under figures/."""
    return COMMITTED.resolve() in folder.resolve().parents


def _states(question: Question, config: Any) -> bool:
    """Whether the options are those that the files in `out` state; a folder under figures/ without results states nothing yet."""
    if config.out == type(config).__dataclass_fields__["out"].default:
        return PAGE.is_file() and not others(config)  # elsewhere than in a checkout nothing is committed
    stated = stated_in(question.results(config.out))
    return stated is None or all(stated.get(name, default) == value for name, default, value in numbered(config))


def stated_in(results: Path) -> dict[str, Any] | None:
    """The options that a results file states; None where there is no such file.

    Raises
    ------
    BadInput : the file is damaged, so that nobody knows what may be written over it
    """
    try:
        return dict(json.loads(results.read_text(encoding="utf-8"))["provenance"]["config"])
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = f"cannot be read ({type(error).__name__}), so which settings may be written there is not known"
        raise BadInput(f"{results}: {why}; restore it, or give another folder by --out.") from error


def numbered(config: Any) -> list[tuple[str, Any, Any]]:
    """Name, default and value of the options that decide numbers."""
    chosen = [field for field in fields(config) if field.name not in UNNUMBERED]
    return [(field.name, as_plain(field.default), as_plain(getattr(config, field.name))) for field in chosen]
