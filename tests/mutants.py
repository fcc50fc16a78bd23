"""`python -m tests.mutants [FILE or FOLDER ...]`: faults that the tests would not notice. mutmut makes one at a time, and runs tests on it.

Each mutant meets the fast tests of its own room alone, those that call the function it lies in. Work is done in copies under build/mutants,
on one core; `survivors.txt` there shows what was not noticed. Of a room with more mutants than `--sample`, as many are drawn with a fixed
seed; 0 takes all. `--as before` or `--as after` keeps the numbers for docs/testing.md.
"""

import argparse
import ast
import json
import random
import re
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterable, Iterator, Sequence
from difflib import unified_diff
from pathlib import Path

from kvsmooth.output import tell
from tests import numbers
from tests.rooms import FLOORS, ROOT

MEASURED = ("kvsmooth/measures.py", "kvsmooth/mixes.py", "kvsmooth/policies", "kvsmooth/sinks", "kvsmooth/decoding", "analysis/stats")
COPIED = (*FLOORS, "tests", "docs", "pyproject.toml", "constraints.txt", "README.md")
TYPED = "from jaxtyping import install_import_hook\ninstall_import_hook(['kvsmooth', 'probes', 'analysis'], 'beartype.beartype')\n"
"""Before the settings of the copied tests: as pytest's option does, which refuses a second run in one process."""
AGAIN = (
    "\nusual = settings.get_profile('same')\n"
    "checks = (*usual.suppress_health_check, HealthCheck.differing_executors)\n"
    "settings.register_profile('again', usual, suppress_health_check=checks)\n"
    "settings.load_profile('again')\n"
)
"""After them: mutmut runs pytest several times in one process, and a method under hypothesis then meets several objects of its class."""

GENERATE = """
from pathlib import Path
from mutmut import __main__ as mutmut
mutmut.set_mutant_under_test("mutant_generation")
Path("mutants").mkdir(exist_ok=True)
mutmut.copy_src_dir()
mutmut.copy_also_copy_files()
mutmut.setup_source_paths()
mutmut.create_mutants(1)
"""
"""As the command of mutmut begins, which generates no file again whose mutants are newer than it."""


def files_of(room: str) -> list[str]:
    """Files of a folder, or the file itself; paths from the root.

    Raises
    ------
    FileNotFoundError : there is no such file
    """
    path = ROOT / room
    if not path.exists() or not room.startswith(FLOORS):
        raise FileNotFoundError(f"{room}: no file or folder of {', '.join(FLOORS)}; name one from the root, such as kvsmooth/mixes.py.")
    found = sorted(path.glob("*.py")) if path.is_dir() else [path]
    return [file.relative_to(ROOT).as_posix() for file in found if not file.name.startswith("__")]


def mirror(room: str) -> list[str]:
    """Tests of a folder; of a file those of its name, or of its folder where there are none."""
    folder = ROOT / "tests" / (room if (ROOT / room).is_dir() else Path(room).parent)
    own = sorted(folder.glob(f"test_{Path(room).stem}*.py")) if room.endswith(".py") else []
    return [test.relative_to(ROOT).as_posix() for test in own or sorted(folder.glob("test_*.py"))]


def drawn(folder: Path, files: Iterable[str], sample: int) -> tuple[list[str], int]:
    """Names of the mutants that are tried, and how many there are, of those that were generated in the folder."""
    every = [name for file in files for name in json.loads((folder / "mutants" / f"{file}.meta").read_text())["exit_code_by_key"]]
    return (random.Random(0).sample(every, sample) if 0 < sample < len(every) else every), len(every)


def prepared(room: str) -> Path:
    """A copy of the project in which mutmut works on the room alone."""
    folder = ROOT / "build" / "mutants" / re.sub(r"\W", "_", room.removesuffix(".py"))
    generated = _generated(room, folder)
    shutil.rmtree(folder, ignore_errors=True)
    for name in COPIED:
        source, target = ROOT / name, folder / name
        if source.is_dir():
            shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(source, target)
    settings = {
        "source_paths": [room.partition("/")[0]],
        "only_mutate": files_of(room),
        "also_copy": [name for name in COPIED if name not in ("tests", "pyproject.toml", room.partition("/")[0])],
        "pytest_add_cli_args": ["-o", "addopts=-q", "-m", "not slow", "-p", "no:xdist", "-p", "no:cacheprovider"],
        "pytest_add_cli_args_test_selection": mirror(room),
    }
    with (folder / "pyproject.toml").open("a") as file:
        file.write("\n\n[tool.mutmut]\n" + "".join(f"{name} = {json.dumps(value)}\n" for name, value in settings.items()))
    conftest = folder / "tests" / "conftest.py"
    conftest.write_text(TYPED + conftest.read_text() + AGAIN)
    for name, content in generated.items():
        path = folder / "mutants" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def _generated(room: str, folder: Path) -> dict[str, bytes]:
    """What an earlier run generated from the files of the room that are still the same: it takes longer than most rooms' tests."""
    whole = [file for file in files_of(room) if (folder / file).exists() and (folder / "mutants" / f"{file}.meta").exists()]
    same = [file for file in whole if (folder / file).read_bytes() == (ROOT / file).read_bytes()]
    paths = [path for file in same for path in (folder / "mutants" / file).parent.glob(f"{Path(file).name}*")]
    return {path.relative_to(folder / "mutants").as_posix(): path.read_bytes() for path in paths}


def changes(folder: Path, names: Iterable[str]) -> Iterator[tuple[str, str, bool]]:
    """Each mutant, what it changed, and whether that is no more than the words of a text."""
    names = list(names)
    originals = {name: f"{name.rpartition('__mutmut_')[0]}__mutmut_orig" for name in names}
    wanted, bodies = {*names, *originals.values()}, dict[str, str]()
    for path in (folder / "mutants").rglob("*.py.meta"):
        file = path.with_suffix("")
        module = file.relative_to(folder / "mutants").with_suffix("").as_posix().replace("/", ".")
        if not any(name.startswith(f"{module}.") for name in names):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.FunctionDef) and f"{module}.{node.name}" in wanted:
                name, node.name = f"{module}.{node.name}", "mutant"
                bodies[name] = ast.unparse(node)
    for name in names:
        before, after = bodies[originals[name]], bodies[name]
        yield (
            name,
            "\n".join(list(unified_diff(before.split("\n"), after.split("\n"), lineterm="", n=0))[3:]),
            _text(before) == _text(after),
        )


def _text(body: str) -> str:
    return re.sub(r"XX(.*?)XX", r"\1", body).lower()


def run(room: str, sample: int) -> dict[str, int]:
    """Try the mutants of a room; how many there are, and what became of those that were tried.

    Raises
    ------
    RuntimeError : the tests fail as they are, or mutmut gave no result
    """
    folder = prepared(room)
    with (folder / "mutmut.txt").open("w") as said:
        if subprocess.run([sys.executable, "-c", GENERATE], cwd=folder, stdout=said, stderr=said).returncode:
            raise RuntimeError(f"{room}: mutmut generated no mutants; what it said lies in {folder / 'mutmut.txt'}.")
        names, there_are = drawn(folder, files_of(room), sample)
        words = [sys.executable, "-m", "mutmut", "run", "--max-children", "1", *names]
        ended = subprocess.run(words, cwd=folder, stdout=said, stderr=said)
    kept = [json.loads(path.read_text())["exit_code_by_key"] for path in (folder / "mutants").rglob("*.py.meta")]
    codes = {name: code for one in kept for name, code in one.items() if name in set(names)}
    if ended.returncode or set(codes) != set(names) or None in codes.values():
        raise RuntimeError(f"{room}: mutmut gave no result; what it said lies in {folder / 'mutmut.txt'}.")
    found = list(changes(folder, names))
    # 0: every test passed; 5 and 33: no test called it; all else, running out of time too, was noticed
    left = [(name, diff, words) for name, diff, words in found if codes[name] in (0, 5, 33)]
    (folder / "survivors.txt").write_text("".join(f"{name}{' (words)' if words else ''}\n{diff}\n\n" for name, diff, words in sorted(left)))
    texts = sum(words for *_, words in found)
    return {
        "mutants": there_are,
        "tried": len(names),
        "killed": len(names) - len(left),
        "of_texts": texts,
        "of_texts_killed": texts - sum(words for *_, words in left),
        "uncalled": sum(code in (5, 33) for code in codes.values()),
    }


def main(words: Sequence[str]) -> int:
    """Try the mutants of these rooms, or of all that are measured, and tell a row for each; the exit status."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutants", description=__doc__.partition("\n")[0])
    parser.add_argument("rooms", nargs="*", metavar="FILE or FOLDER")
    parser.add_argument("--sample", type=int, default=150, help="mutants of a room (150; 0: all)")
    parser.add_argument("--as", choices=("before", "after"), dest="kept", help="keep the numbers for docs/testing.md")
    given = parser.parse_args(words)
    for room in given.rooms or MEASURED:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        try:
            found = run(room, given.sample)
        except (FileNotFoundError, RuntimeError) as error:
            sys.stderr.write(f"tests.mutants: {error}\n")
            return 2
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        minutes = (after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime) / 60
        tell(f"{room}: {found['killed']} of {found['tried']} killed (of {found['mutants']}), {minutes:.1f} processor minutes\n")
        if given.kept:
            numbers.keep(f"mutants {given.kept}", room, found)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
