"""`python -m probes`: the commands and the recorders that there are, each with a line; `--help` behind a command lists its options."""

from dataclasses import dataclass

from probes.command.cli import run_cli
from probes.command.listing import commands, first_line, listed


@dataclass(frozen=True)
class ListConfig:
    """The commands and recorders of probes, each with a line; it has no options."""


def main(config: ListConfig) -> None:
    """Print them."""
    from probes.recorders import RECORDERS

    print(listed("Commands: python -m", commands("probes")))  # noqa: T201  what the command says
    lines = {name: first_line(recorder.__doc__, name) for name, recorder in RECORDERS.items()}
    print(listed("\nRecorders: python -m probes.record --recorders", lines))  # noqa: T201


if __name__ == "__main__":
    run_cli(ListConfig, main)
