"""`python -m analysis.score chair|pope|opope|amber|halbench`: what existing captions and answers are worth, with intervals.

Prints a table; `--json` writes measures, intervals and a record of every caption. An existing file is replaced whole, or left as it is.
"""

import functools
import operator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, ClassVar

from tyro.conf import OmitArgPrefixes, OmitSubcommandPrefixes, subcommand

from analysis.score.scorings import SCORINGS
from probes.command.cli import run_cli
from probes.command.terminal import say

if TYPE_CHECKING:
    from analysis.score.options import Scoring as Chosen
else:
    Chosen = functools.reduce(operator.or_, (Annotated[kind, subcommand(name)] for name, kind in SCORINGS.items()))
    """Options of one of them, as a subcommand of its name."""


@dataclass(frozen=True)
class ScoreConfig:
    """Scores captions and answers that exist already; no model runs."""

    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "chair --captions captions.jsonl --annotations coco/annotations --json scored.json",
        "chair --captions captions.jsonl --annotations emoji --against others.jsonl",
    )
    benchmark: OmitArgPrefixes[OmitSubcommandPrefixes[Chosen]]
    """each has its own options: python -m analysis.score chair --help"""

    @property
    def RESUMES(self) -> bool:
        """Whether answers of a service are kept, and not asked again."""
        return self.benchmark.kept is not None


def main(config: ScoreConfig) -> None:
    """Score, write, print; the results file is the last thing that is touched."""
    from analysis.score.provenance import origin
    from analysis.score.results import as_text, must_be_writable
    from analysis.score.run import scored
    from analysis.score.summary import summary
    from probes.command.files import write_bytes

    asked = config.benchmark
    if asked.json is not None:
        must_be_writable(asked.json, [file for path in (asked.captions, asked.against) if path is not None for file in asked.files(path)])
    found = scored(asked)
    if asked.json is not None:
        write_bytes(asked.json, as_text(found, origin(asked, found.data)).encode())
    say(summary(found))


if __name__ == "__main__":
    run_cli(ScoreConfig, main)
