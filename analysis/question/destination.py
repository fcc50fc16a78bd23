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
from probes.command.cli import Notice
from probes.command.strict_json import as_plain

Config = TypeVar("Config", bound=Any)

COMMITTED, TRIALS = Path("figures"), Path("out")
UNNUMBERED = (*FREE, "only")
"""Options that decide no number."""
IMAGES = ("subject", "images", "image_folder")
RECORDED = (*IMAGES, "annotations", "captions", "prompt", "batch_size", "max_new_tokens", "seed", "device", "dtype", "lambda_ref")
"""Options that decide what is recorded."""


def placed(question: Question, config: Config) -> Config:
    """The options with the places that may be written; a `Notice` says where files go if not to where they were asked to go.

    What goes elsewhere takes the page along, and the recordings unless they are those of the defaults.

    Parameters
    ----------
    config : with the fields `out`, `page` and `redraw`. A redraw changes no number: it follows the subject and its images alone
    """
    default: dict[str, Any] = {field.name: field.default for field in fields(config)}
    if config.redraw:
        moved = config.out == default["out"] and others(config, IMAGES)
    else:
        moved = _committed(config.out) and not _states(question, config)
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
        if name in default and getattr(config, name) == default[name] and others(config, RECORDED):
            places[name] = folder / default[name]
    return replace(config, **places)


def trial(config: Any) -> Path:
    """The folder of what is asked of this subject, or model, about so many images, where it looks at images."""
    who = getattr(config, "subject", None) or config.model
    name = Path(who).resolve().name if Path(who).is_dir() else who
    many = f"-{config.images}" if hasattr(config, "images") else ""
    return TRIALS / f"{re.sub(r'[^A-Za-z0-9.@+-]+', '_', name).strip('.')}{many}"


def others(config: Any, among: Collection[str] | None = None) -> list[str]:
    """Options that decide numbers and are not at their defaults; of some of them, if `among` says which."""
    return [name for name, default, value in numbered(config) if value != default and (among is None or name in among)]


def _committed(folder: Path) -> bool:
    return COMMITTED.resolve() in folder.resolve().parents


def _states(question: Question, config: Any) -> bool:
    """Whether the options are those that the files in `out` state; a folder under figures/ without results states nothing yet."""
    if config.out == type(config).__dataclass_fields__["out"].default:
        return PAGE.is_file() and not others(config)  # elsewhere than in a checkout nothing is committed
    try:
        stated = json.loads(question.results(config.out).read_text(encoding="utf-8"))["provenance"]["config"]
        return all(stated.get(name, default) == value for name, default, value in numbered(config))
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return True


def numbered(config: Any) -> list[tuple[str, Any, Any]]:
    """Name, default and value of the options that decide numbers."""
    chosen = [field for field in fields(config) if field.name not in UNNUMBERED]
    return [(field.name, as_plain(field.default), as_plain(getattr(config, field.name))) for field in chosen]
