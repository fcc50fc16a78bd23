"""One process at a time in a folder; nothing that only some systems have is imported on the way."""

import ast
import subprocess
import sys
from collections.abc import Iterator

import pytest

from probes.command.lock import Held, held
from tests.processes import started
from tests.rooms import FLOORS, ROOT, sources

HOLDER = """
import sys
from probes.command.lock import held
with held(sys.argv[1], wait=False):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_a_folder_is_held_against_this_process_and_others(tmp_path):
    with held(tmp_path, wait=False), pytest.raises(Held), held(tmp_path, wait=False):
        pytest.fail("it was held twice")
    with started([sys.executable, "-c", HOLDER, tmp_path], cwd=ROOT, stdin=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Held), held(tmp_path, wait=False):
            pytest.fail("another process holds it")
        holder.kill()
        holder.wait()
    with held(tmp_path, wait=True):
        assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_missing_folder_is_not_made(tmp_path):
    with pytest.raises(FileNotFoundError), held(tmp_path / "none", wait=True):
        pytest.fail("there is no folder to hold")
    assert not list(tmp_path.iterdir())


ONLY_POSIX = {"fcntl", "termios", "tty", "pty", "resource", "pwd", "grp", "posix", "syslog", "readline"}


def imported_first(body: list[ast.stmt]) -> Iterator[str]:
    """Modules that a file imports while it is imported itself; not those that a function imports, or for which it has another way."""
    for node in body:
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""
        elif not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Try):
            yield from imported_first([*getattr(node, "body", ()), *getattr(node, "orelse", ())])


@pytest.mark.slow
def test_no_module_needs_what_only_posix_has_to_be_imported():
    found = {path: set(imported_first(ast.parse((ROOT / path).read_text(encoding="utf-8")).body)) for path in sources(*FLOORS)}
    assert len(found) > 200
    assert {path: names & ONLY_POSIX for path, names in found.items() if names & ONLY_POSIX} == {}
    planted = "import os\nif True:\n    import pwd\ntry:\n    import fcntl\nexcept ImportError: pass\ndef f():\n    import pty\n"
    assert set(imported_first(ast.parse(planted).body)) == {"os", "pwd"}
