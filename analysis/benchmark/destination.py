"""Where a benchmark is written: over committed files only with the settings that they state, else to out/<subject>-<images>/benchmark.

Answers that are scored in another way stay where they are; only their scores, table and figure go elsewhere.
"""

import warnings
from dataclasses import fields, replace
from pathlib import Path

from analysis.benchmark.config import FROM_PLAN, UNNUMBERED, BenchmarkConfig
from analysis.question.destination import is_committed, stated_in, trial
from probes.command.cli import Notice
from probes.command.strict_json import as_plain

LEFT = "left to the settings that it states."


def placed(config: BenchmarkConfig) -> tuple[BenchmarkConfig, Path]:
    """The options with the folder that may be written, and the folder of scores, table and figure; a `Notice` says where else they go.

    Raises
    ------
    BadInput : the results there are damaged
    """
    elsewhere = trial(config) / "benchmark"
    if (config.redraw or config.rescore) and config.out == BenchmarkConfig.out:  # they look where a run about these images wrote
        asked = any(getattr(config, name) != getattr(BenchmarkConfig, name) for name in ("subject", "images"))
        config = replace(config, out=elsewhere) if asked else config
    if config.redraw or not is_committed(config.out) or _states(config):
        return config, folder_of(config.out, config.benchmark)
    home = folder_of(elsewhere, config.benchmark)
    if config.rescore:
        warnings.warn(f"scores go to {home}; {folder_of(config.out, config.benchmark)} is {LEFT}", Notice, stacklevel=2)
        return config, home
    warnings.warn(f"files go to {elsewhere}; {config.out} is {LEFT}", Notice, stacklevel=2)
    return replace(config, out=elsewhere), home


def folder_of(out: Path, benchmark: str) -> Path:
    """Where a benchmark's scores, table and figure are."""
    return out / benchmark


def _states(config: BenchmarkConfig) -> bool:
    """Whether the options are those that the results there state; a folder without results states nothing yet."""
    stated = stated_in(folder_of(config.out, config.benchmark) / "benchmark.json")
    if stated is None:
        return config.rescore or not any(config.out.glob("*/benchmark.json"))
    if config.plan is not None:
        return False
    taken = (*FROM_PLAN, "methods") if config.rescore else ()  # a rescore takes these from the plan where they are not given
    for field in fields(config):
        default, value = as_plain(field.default), as_plain(getattr(config, field.name))
        followed = field.name in UNNUMBERED or (field.name in taken and value == default)
        if not followed and stated.get(field.name, default) != value:
            return False
    return True
