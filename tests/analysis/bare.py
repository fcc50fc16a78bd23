"""A Python without the libraries of a model, in which tests redraw: it is started once, and forks itself for each program."""

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.rooms import ROOT

SERVER = """
import json, os, sys, traceback
import h5netcdf, matplotlib.figure, matplotlib.backends.backend_svg, xarray  # what every redraw loads
for line in sys.stdin:
    program, said = json.loads(line)
    child = os.fork()
    if not child:
        status, out = 1, os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(out, 1), os.dup2(out, 2)
        try:
            exec(program, {"__name__": "__main__"})
            status = 0
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush(), sys.stderr.flush()
            os._exit(status)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@contextmanager
def bare(said: Path) -> Iterator[Callable[[str], None]]:
    """Runs programs, each in a fork of its own that has loaded what reads and draws and nothing else.

    Parameters
    ----------
    said : file for what a program says

    Raises
    ------
    AssertionError : a program failed; with what it said
    """
    with subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as server:

        def run(program: str) -> None:
            assert server.stdin is not None
            assert server.stdout is not None
            server.stdin.write(f"{json.dumps([program, str(said)])}\n")
            server.stdin.flush()
            status = server.stdout.readline().strip()
            assert status == "0", said.read_text(encoding="utf-8") if said.exists() else "it has not been started"

        yield run
