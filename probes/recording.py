"""Reading recordings under its former name; it lives in `probes.recordings.recording`."""

from probes.recordings.recording import merge, read_folder, validate

__all__ = ["merge", "read_folder", "validate"]
