"""Which code decides a caption: the method's modules without comments and docstrings, so that only changes of meaning rerun anything."""

import ast
import sys
from dataclasses import fields, is_dataclass
from functools import cache
from pathlib import Path
from typing import Any

import kvsmooth
from kvsmooth.policies import POLICIES
from kvsmooth.sinks import SINKS
from kvsmooth.sinks.chosen import detector_class
from probes.command.provenance import digest

ROOT = Path(kvsmooth.__file__).resolve().parent.parent
# the smoother's defaults count for all cells, another detector's or policy's module only for those that use it
DEFAULTS = ("row_entropy", "percentile")


def method_version(score: str | None = None, policy: str | None = None) -> str:
    """A hash of the code that the method runs with this detector and this policy.

    It covers every module of kvsmooth that `kvsmooth.smoother` and the modules of the detector and the policy import, directly or not; of
    a detector of one's own, `module:Class`, its module too, but nothing else that is not kvsmooth's.
    """
    chosen = [registry[name] for registry in (SINKS, POLICIES) for name in (score, policy, *DEFAULTS) if name in registry]
    if score is not None and score not in SINKS:
        chosen.append(detector_class(score))
    return code_version("kvsmooth.smoother", *{found.__module__ for found in chosen})


def code_of(method: Any) -> str:
    """A hash of the code that a method runs: its module, those of the parts that it holds, such as a detector, and what they import."""
    modules, waiting = {type(method).__module__}, [method]
    while waiting:
        part = waiting.pop()
        if is_dataclass(part):
            modules.add(type(part).__module__)
            waiting += [getattr(part, field.name) for field in fields(part)]
    return code_version(*sorted(modules))


@cache
def code_version(*roots: str) -> str:
    """A hash of these modules and of those of kvsmooth that they import, directly or not."""
    modules: set[Path] = set()
    waiting = [_file(name) for name in roots]
    while waiting:
        path = waiting.pop()
        if path is not None and path not in modules:
            modules.add(path)
            waiting += map(_file, _imports(path))
    return digest(meaning(path) for path in sorted(modules))


@cache
def meaning(path: Path) -> str:
    """A module's code without comments, blank lines, quotation style and docstrings."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef) and ast.get_docstring(node, clean=False) is not None:
            node.body = body[1:] or [ast.Pass()]
    return ast.unparse(tree)


@cache
def _imports(path: Path) -> tuple[str, ...]:
    """The modules of kvsmooth that a module imports, by `from kvsmooth.a import b`, where b may be a module too."""
    found = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("kvsmooth"):
            found += [node.module, *(f"{node.module}.{name.name}" for name in node.names)]
    return tuple(found)


def _file(module: str) -> Path | None:
    """The file of a module; None for a package, whose list of parts changes nothing by itself, and for what is no module."""
    path = ROOT.joinpath(*module.split(".")).with_suffix(".py")
    if not path.is_file():  # a detector of one's own lies elsewhere, and is imported by now
        path = Path(getattr(sys.modules.get(module), "__file__", None) or "")
    return path if path.is_file() and path.name != "__init__.py" else None
