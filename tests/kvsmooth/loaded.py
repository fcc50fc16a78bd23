"""A Python that has loaded what a model needs: started once, it forks itself for each program, which then ends as any process does."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.processes import started
from tests.rooms import ROOT

SERVER = """
import sys
sys.path.insert(0, sys.argv[1])  # as of a script in this folder, whose files must not stand before what libraries import
import json, os
import torch, transformers
import kvsmooth.baselines, kvsmooth.doctor.command  # and with them all that is listed
for line in sys.stdin:
    program, out, err = json.loads(line)
    child = os.fork()
    if not child:
        break
    print("ended", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
else:
    sys.exit()
# the child: a module's last lines, so that Python ends it as it ends a script
for path, own in ((out, 1), (err, 2)):
    if path:
        file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(file, own)
        os.close(file)
del sys.argv[1:]
if not out:
    print("begun", flush=True)  # what is said before would be read with the program, by the server
exec(program, {"__name__": "__main__"})
"""


@dataclass
class Done:
    """A program that has ended: its exit status, and what it wrote."""

    status: int
    out: bytes
    err: bytes


class Loaded:
    """Runs programs, one after another, each in a fork of its own."""

    def __init__(self, server: subprocess.Popen, folder: Path):
        self.server, self.folder = server, folder

    def _begin(self, program: str, *files: Path | None) -> None:
        self._write(json.dumps([program, *(file and str(file) for file in files)]))

    def _write(self, line: str) -> None:
        assert self.server.stdin is not None
        self.server.stdin.write(f"{line}\n")
        self.server.stdin.flush()

    def _read(self) -> str:
        assert self.server.stdout is not None
        return self.server.stdout.readline().strip()

    def run(self, program: str) -> Done:
        """Run a program to its end."""
        out, err = self.folder / "out", self.folder / "err"
        self._begin(program, out, err)
        word, _, status = self._read().partition(" ")
        assert word == "ended", self.said()
        return Done(int(status), out.read_bytes(), err.read_bytes())

    @contextmanager
    def talk(self, program: str) -> Iterator[Callable[[str], str]]:
        """Lines to a program that answers each of them with a line, and ends after one that is empty."""
        self._begin(program, None, None)
        assert self._read() == "begun", self.said()

        def asked(line: str) -> str:
            self._write(line)
            answer = self._read()
            assert answer, self.said()
            assert not answer.startswith("ended"), self.said()
            return answer

        yield asked
        self._write("")
        assert self._read() == "ended 0", self.said()

    def said(self) -> str:
        """The end of what was written to the error output of the server, and of programs that are talked to."""
        return (self.folder / "stderr").read_text(errors="replace")[-2000:]


@contextmanager
def loaded(folder: Path, script: Path) -> Iterator[Loaded]:
    """Python with its warnings as errors, of which each program is a fork.

    Parameters
    ----------
    folder : for what programs write
    script : a file whose folder is looked through before the libraries' own, as it is where that file is run as a script
    """
    words = [sys.executable, "-W", "error", "-c", SERVER, str(script.parent)]
    with (folder / "stderr").open("w") as stderr, started(words, stdin=subprocess.PIPE, stderr=stderr, cwd=ROOT) as server:
        yield Loaded(server, folder)
