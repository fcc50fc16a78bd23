"""`python -m tests.changed`: every test of the rooms touched since main, and the fast ones of what imports the files that changed.

"Imports" is meant through any number of files between. A test also hangs on the command of the room that it mirrors, which it may start
by name. Further words go to pytest.
"""

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from tests.rooms import FLOORS, ROOT, sources

ALWAYS = ("tests/test_contracts.py", "tests/test_rooms.py")
EVERYTHING = ("pyproject.toml", "constraints.txt", "Makefile", "tests/conftest.py")
"""Files on which every test hangs."""


def imports() -> dict[str, set[str]]:
    """The files of ours that each file imports."""
    found = {}
    for path in sources(*FLOORS, "tests"):
        modules = set(_modules(ast.parse((ROOT / path).read_text(encoding="utf-8"))))
        if path.name.startswith(("test_", "conftest")):
            modules.add(".".join((*path.parts[1:-1], "__main__")))
        above = [folder / "conftest.py" for folder in path.parents if path.name.startswith("test_")]
        found[path.as_posix()] = {*filter(None, map(_file, modules)), *(str(one) for one in above if (ROOT / one).is_file())}
    return found


def hanging(files: Iterable[str], graph: Mapping[str, set[str]]) -> set[str]:
    """These files, and all that import one of them."""
    reached = set(files)
    while more := {file for file, below in graph.items() if file not in reached and below & reached}:
        reached |= more
    return reached


def rooms_of(files: Iterable[str]) -> set[str]:
    """The rooms in which these files lie; that of a test is its mirror, that of a figure its question."""
    found = set()
    for file in files:
        parts = Path(file).parts[:-1]
        if parts[:1] == ("figures",):
            parts = ("analysis", *parts[2:])
        elif parts[:1] == ("tests",):
            parts = parts[1:]
        while parts and not (ROOT / "tests" / "/".join(parts)).is_dir():
            parts = parts[:-1]  # data of a room
        if parts:
            found.add("/".join(parts))
    return found


def chosen(files: Iterable[str], graph: Mapping[str, set[str]]) -> tuple[list[str], list[str]]:
    """Test files to run as a whole, and those of which the fast tests are enough."""
    files = set(files)
    tests = {file for file in graph if Path(file).name.startswith("test_")}
    near = {file for room in rooms_of(files) for file in tests if Path(file).parent == Path("tests") / room}
    data = rooms_of(file for file in files if Path(file).parts[0] in FLOORS and not file.endswith(".py"))  # read by any file of the room
    files |= {file for file in graph if Path(file).parent.as_posix() in data}
    far = tests if files & set(EVERYTHING) else tests & hanging(files, graph)
    return [*ALWAYS, *sorted(near)], sorted(far - near - set(ALWAYS))


def since_main() -> list[str]:
    """Files that differ from where this branch left main, and new ones that git does not know yet."""
    known = (name for name in ("origin/main", "main") if not _git("rev-parse", "--verify", "--quiet", name, check=False).returncode)
    base = _git("merge-base", "HEAD", next(known, "HEAD")).stdout.strip()
    told = _git("diff", "--name-only", "--no-renames", base).stdout + _git("ls-files", "--others", "--exclude-standard").stdout
    return sorted(set(told.splitlines()))


def main(words: list[str]) -> int:
    """Run them; the exit status is pytest's, or 0 where no test is left."""
    near, far = chosen(since_main(), imports())
    print(f"{len(near)} files of tests as a whole, the fast tests of {len(far)} more", flush=True)  # noqa: T201
    status = 0
    for files, tier in ((near, []), (far, ["-m", "not slow and not lasting"])):
        done = subprocess.call([sys.executable, "-m", "pytest", *files, *tier, *words], cwd=ROOT) if files else 0
        status = status or (0 if done == NO_TESTS else done)
    return status


NO_TESTS = 5
"""pytest's status where all were left out: every test of these files is slow."""


def _modules(tree: ast.AST) -> Iterator[str]:
    """Names of modules that are imported anywhere, and of what comes from them, which may be modules too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _file(module: str) -> str | None:
    """The file of a module of ours; None of others and of what is no module."""
    stem = module.replace(".", "/")
    ours = module.partition(".")[0] in (*FLOORS, "tests")
    return next((file for file in (f"{stem}.py", f"{stem}/__init__.py") if ours and (ROOT / file).is_file()), None)


def _git(*words: str, check: bool = True) -> subprocess.CompletedProcess:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True, check=check)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
