"""`python -m analysis.entropy`: which tokens have high row entropy, how near the mean state they lie, and do hidden states walk at random?

Records what is missing, reduces it to `entropy.nc`, tests (`entropy.json`), draws, tells (docs/findings.md). `--redraw` needs no model.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import xarray as xr

from analysis.question.command import QuestionOutcome, run_question
from analysis.question.question import Question, compressed, made_by
from analysis.question.recordings import KEPT, RecordingsConfig, recordings_of
from analysis.telling.pages import PAGE
from probes.command.cli import run_cli
from probes.command.strict_json import as_json

if TYPE_CHECKING:
    from matplotlib.figure import Figure

QUESTION = Question("entropy", kept=KEPT, encoding=compressed)


@dataclass(frozen=True)
class EntropyConfig(RecordingsConfig):
    """Row entropy by token class, against the mean state, and the random walk that smoothing's derivation assumes."""

    out: Path = Path("figures/emoji/entropy")
    """folder of figures, entropy.nc and entropy.json"""
    page: Path = PAGE
    """the page whose paragraph is written anew"""


def main(config: EntropyConfig) -> None:
    """Record, reduce, test, draw, tell."""
    run_question(QUESTION, config, measure, test, figures, words)


def measure(config: EntropyConfig) -> xr.Dataset:
    """Record what is missing in both regimes, and reduce it; the replay feeds the baseline's own captions to both arms."""
    from analysis.entropy.reduce import VARIABLES, reduce

    recordings = recordings_of(config, variables=VARIABLES)
    reduced = reduce(recordings, min_steps=config.min_steps, seed=config.seed, level=config.level)
    return reduced.assign_attrs(analysis=as_json(made_by(config)))


def test(reduced: xr.Dataset, config: EntropyConfig, checksum: str) -> str:
    """The text of the results file; `checksum` is that of the file of reduced data."""
    from analysis.entropy.results import results
    from analysis.stats.rows import as_json as results_json

    return results_json(
        results(reduced, seed=config.seed, level=config.level),
        QUESTION.origin(reduced, config, checksum, own=("band", "too_short")),
        counted=counted(reduced),
    )


def counted(reduced: xr.Dataset) -> dict[str, Any]:
    """Images, tokens of each class and arm, captions left out."""
    tokens = reduced["tokens"].sum("image")
    return {
        "images": reduced.sizes["image"],
        "band": json.loads(reduced.attrs["band"]),
        "too_short": json.loads(reduced.attrs["too_short"]),
        "min_steps": int(reduced.attrs["min_steps"]),
        "tokens": {
            str(arm): {str(name): int(tokens.sel({"arm": arm, "class": name})) for name in reduced["class"].values}
            for arm in reduced["arm"].values
        },
    }


def figures(answer: QuestionOutcome) -> "dict[str, tuple[Figure, str]]":
    """Every figure by its file name, with the note under it."""
    from analysis.entropy.figures import NOTES, draw_all

    return {name: (made, NOTES[name].format(level=answer.level)) for name, made in draw_all(answer.reduced, answer.rows).items()}


def words(answer: QuestionOutcome) -> tuple[str, str]:
    """The paragraph of the page, and what the command says at its end."""
    from analysis.entropy.findings import paragraph

    text = paragraph(answer.rows, answer.found)
    return text, text


if __name__ == "__main__":
    run_cli(EntropyConfig, main)
