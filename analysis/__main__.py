"""`python -m analysis`: the commands that there are, the questions first, each with a line; `--help` behind one lists its options."""

from dataclasses import dataclass

from analysis.questions import ACROSS_SUBJECTS, QUESTIONS
from probes.command.cli import run_cli
from probes.command.listing import commands, listed
from probes.command.terminal import say


@dataclass(frozen=True)
class AnalysisListConfig:
    """The commands of analysis, each with a line; it has no options."""


def main(config: AnalysisListConfig) -> None:
    """Print them."""
    found = commands("analysis")
    questions = {name: found.pop(name) for name in (f"analysis.{question}" for question in (*QUESTIONS, *ACROSS_SUBJECTS))}
    say(listed("Questions: python -m", questions))
    say(listed("\nAll else: python -m", found))


if __name__ == "__main__":
    run_cli(AnalysisListConfig, main)
