"""`python -m probes`: the commands and the recorders that there are, each with a line; `--help` behind a command lists its options."""

from dataclasses import dataclass

from probes.command.cli import run_cli
from probes.command.listing import commands, first_line, listed
from probes.command.terminal import say


@dataclass(frozen=True)
class ProbesListConfig:
    """The commands and recorders of probes, each with a line; it has no options."""


def main(config: ProbesListConfig) -> None:
    """Print them."""
    from probes.recorders import RECORDERS

    say(listed("Commands: python -m", commands("probes")))
    lines = {name: first_line(recorder.__doc__, name) for name, recorder in RECORDERS.items()}
    say(listed("\nRecorders: python -m probes.record --recorders", lines))


if __name__ == "__main__":
    run_cli(ProbesListConfig, main)
