"""`python -m analysis.efficiency.across`: what KVSmooth and recording cost on each model that was measured, as one table of a page.

It reads the results of `python -m analysis.efficiency` (`make efficiency` writes all of them) and measures nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from analysis.efficiency.rounds import GOALS, estimated, ratios, run_in
from analysis.question.destination import is_committed
from analysis.stats.rows import read_json
from analysis.telling.committed import committed
from analysis.telling.pages import tell
from probes.command.cli import BadInput, run_cli

MODELS = {
    "efficiency": "Llama of 97 million parameters, random weights",
    "layers_7b": "four layers as wide as a 7B model's, decoding alone",
    "smollm2": "smollm2, its first scene",
}
"""By file of results, the model in words."""
ARMS = {
    "plain_again": "plain once more",
    "plain_in_place": "plain, its cache growing in place",
    "kvsmooth": "KVSmooth",
    "kvsmooth_fast": "KVSmooth, `exact=False`",
    "recording": "recording",
    "recording_kvsmooth": "recording KVSmooth",
}
IN_PLACE = "plain_in_place"
OWN = {"kvsmooth": "KVSmooth over that", "kvsmooth_fast": "KVSmooth, `exact=False`, over that"}
"""What the method itself adds: over plain `generate` whose cache grows in place too."""


@dataclass(frozen=True)
class AcrossConfig:
    """One table of what KVSmooth and recording cost, from the results of each model."""

    EXAMPLES: ClassVar[tuple[str, ...]] = ("", "--folder out/efficiency --page out/cost.md")
    folder: Path = Path("figures/efficiency")
    """folder of the results, one file a model: efficiency.json, layers_7b.json, smollm2.json"""
    page: Path = Path("docs/method.md")
    """the page that gets the table between its marks <!-- cost --> and <!-- /cost -->"""
    debug: bool = False
    """show the trace of an error"""


def markdown(found: Mapping[str, Mapping[str, Any]]) -> str:
    """The table.

    Parameters
    ----------
    found : by file of `MODELS`, its results
    """
    heads = [f"{MODELS[name]}, {run_in(one)}" for name, one in found.items()]
    lines = [
        f"| | {' | '.join(heads)} | goal |",
        f"|---|{'---|' * len(found)}---|",
    ]
    for arm, words in ARMS.items():
        cells = [_cell(one["spread"]["whole"]["processor"].get(arm), GOALS.get(arm)) for one in found.values()]
        goal = f"at most {GOALS[arm]:g}" if arm in GOALS else ""
        lines.append(f"| {words} | {' | '.join(cells)} | {goal} |")
        if arm == IN_PLACE:
            for method, its in OWN.items():
                lines.append(f"| {its} | {' | '.join(_cell(_own(one, method), None) for one in found.values())} |  |")
    kinds = dict.fromkeys(map(estimated, found.values()))  # one, where all were measured in like manner
    note = (
        f"Processor time over that of plain `generate` right before and after, one thread: {'; or '.join(kinds)}, 95 %. "
        "A goal is met where the upper end of the interval meets it. In KVSmooth and in recording the cache grows in place, where "
        "`generate` copies all of it at every step; over `generate` with such a cache the table tells what the method itself adds."
    )
    return "\n".join([*lines, "", note])


def _own(found: Mapping[str, Any], method: str) -> dict[str, float] | None:
    """Ratio of a method to plain `generate` with a cache that grows in place; None where one of them was not measured."""
    if not {method, IN_PLACE} <= found["rounds"][0].keys():
        return None
    return ratios(found["rounds"], "whole", "processor", processes=found["processes"], control=IN_PLACE)[method]


def _cell(ratio: Mapping[str, float] | None, goal: float | None) -> str:
    if ratio is None:
        return ""
    verdict = "" if goal is None else ", met" if ratio["high"] <= goal else ", not met"
    return "{ratio:.3f} [{low:.3f}, {high:.3f}]".format(**ratio) + verdict


def results(folder: Path) -> dict[str, dict[str, Any]]:
    """By file of `MODELS`, its results.

    Raises
    ------
    BadInput : one is not there, or is no such file
    """
    found = {}
    for name in MODELS:
        path = folder / f"{name}.json"
        try:
            found[name] = read_json(path)
            found[name]["n"], found[name]["processes"], found[name]["spread"]["whole"]["processor"]["plain"]["high"]
            found[name]["rounds"][0]["plain"]["beside"]
        except (OSError, ValueError, LookupError, TypeError) as error:
            why = f"no results of python -m analysis.efficiency, or of an earlier version ({type(error).__name__})"
            raise BadInput(f"{path}: {why}; make efficiency writes them.") from error
    return found


def main(config: AcrossConfig) -> None:
    """Read, tell.

    Raises
    ------
    BadInput : results of one's own for the project's page, besides what `results` and `tell` raise
    """
    if committed(config.page) and not is_committed(config.folder):
        raise BadInput(f"--page {config.page}: tells of results under figures/ alone; give a page of your own.")
    tell("cost", markdown(results(config.folder)), config.page)


if __name__ == "__main__":
    run_cli(AcrossConfig, main)
