"""What the rooms above add to the doctor, where they are installed: asked for by name, since imports run the other way."""

import importlib
from typing import Any

ROOMS = ("probes.doctor", "analysis.doctor")


def rooms() -> list[Any]:
    """Their modules; each has `machine()`, and that of probes `subject(name)`."""
    found = []
    for name in ROOMS:
        try:
            found.append(importlib.import_module(name))
        except ModuleNotFoundError as error:
            if error.name not in (name, name.partition(".")[0]):  # the room is there and a package that it needs is not
                raise
    return found
