"""What commands tell, under its former name; it lives in `probes.command.cli`."""

from probes.command.cli import BadInput, Notice

__all__ = ["BadInput", "Notice"]
