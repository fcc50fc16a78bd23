"""What happens inside a vision-language model while it generates: recorded step by step, labelled, resumable."""

import importlib
from typing import Any

_DOORS = {"record": "probes.session", "load_subject": "probes.subjects", "Item": "probes.subjects", "Subject": "probes.subjects"}

DEFAULT_BATCH = 20  # images a batch of every command that records: a folder takes one batch size, so their defaults must agree

__all__ = ["DEFAULT_BATCH", "Item", "Subject", "load_subject", "record"]


def __getattr__(name: str) -> Any:
    # looked up when asked for: `import probes` costs nothing, and neither torch nor nnsight is loaded by a command's --help
    if name in _DOORS:
        door = getattr(importlib.import_module(_DOORS[name]), name)
        globals()[name] = door
        return door
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
