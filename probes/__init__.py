"""What happens inside a vision-language model while it generates: recorded step by step, labelled, resumable."""

import importlib
from typing import Any

_DOORS = {"record": "probes.session", "load_subject": "probes.subjects", "Item": "probes.subjects", "Subject": "probes.subjects"}

__all__ = ["Item", "Subject", "load_subject", "record"]


def __getattr__(name: str) -> Any:
    # looked up when asked for: `import probes` costs nothing, and neither torch nor nnsight is loaded by a command's --help
    if name in _DOORS:
        door = getattr(importlib.import_module(_DOORS[name]), name)
        globals()[name] = door
        return door
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
