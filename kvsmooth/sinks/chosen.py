"""A detector by name: one of `SINKS`, or one's own as `module:Class`."""

import importlib
import inspect
import re

from kvsmooth.sinks import SINKS
from kvsmooth.sinks.detector import KNOWN, Detector


def detector_class(name: str) -> type[Detector]:
    """The class of a detector.

    Parameters
    ----------
    name : a name of `SINKS`, or `module:Class`: a class that extends `Detector`, in a module that Python finds (the working directory is
        looked in first by `python -m`)

    Raises
    ------
    ValueError : there is none of this name, its module cannot be imported, or it is no detector
    """
    if name in SINKS:
        return SINKS[name]
    module, colon, kind = name.partition(":")
    if not (colon and module and kind):
        raise ValueError(f"a detector must be one of {', '.join(SINKS)}, or module:Class for one's own; got {name!r}.")
    found = getattr(_imported(module, name), kind, None)
    if found is None:
        raise ValueError(f"detector {name}: the module {module} has no {kind}; check the spelling.")
    if not (isinstance(found, type) and issubclass(found, Detector)) or inspect.isabstract(found):
        raise ValueError(f"detector {name}: {kind} must be a class that extends kvsmooth.sinks.Detector and can be called.")
    called, known = getattr(found, "name", None), getattr(found, "known", None)
    if not isinstance(called, str) or not re.fullmatch(r"\w+", called):
        raise ValueError(f"detector {name}: {kind}.name must be a text of letters, digits and _; got {called!r}.")
    if SINKS.get(called, found) is not found:
        raise ValueError(f"detector {name}: {kind}.name is {called!r}, the name of another detector; choose one of its own.")
    if known not in KNOWN:
        raise ValueError(f"detector {name}: {kind}.known must be one of {', '.join(KNOWN)}; got {known!r}.")
    needed = [
        one.name
        for one in inspect.signature(found).parameters.values()
        if one.default is one.empty and one.kind is one.POSITIONAL_OR_KEYWORD
    ]
    if needed:
        raise ValueError(f"detector {name}: {kind} must be built without options; give {', '.join(needed)} a default.")
    return found


def _imported(module: str, name: str) -> object:
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name and (module == error.name or module.startswith(f"{error.name}.")):
            told = f"there is no module {error.name}; run from its folder, or name the folder in PYTHONPATH"
            raise ValueError(f"detector {name}: {told}.") from error
        raise ValueError(f"detector {name}: {module} needs the module {error.name}, which is not installed.") from error
    except Exception as error:
        # a module of the user's may raise whatever it likes
        told = f"{type(error).__name__}: {' '.join(str(error).split())}"
        raise ValueError(f"detector {name}: {module} cannot be imported ({told}).") from error
