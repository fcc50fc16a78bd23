"""The former name of `probes.command.cli`."""

from probes.command.cli import BadInput, Notice

__all__ = ["BadInput", "Notice"]
