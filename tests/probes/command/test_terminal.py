"""What a command says reaches any terminal, obeys nobody's escape signs, and never ends the work."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from probes.command.terminal import printable
from tests.processes import PATIENCE

ROOT = Path(__file__).parents[3]
COMMAND = """
import sys, warnings
from dataclasses import dataclass
from pathlib import Path
from probes.command.cli import BadInput, Notice, run_cli
from probes.command.terminal import say

@dataclass(frozen=True)
class Options:
    \"\"\"Says what it is given.\"\"\"

    name: str = "x"
    path: Path = Path("x")
    times: int = 1
    done: Path | None = None
    well: bool = False

def main(config):
    for _ in range(config.times):
        say(f"λ {config.name}\\nnext")
    if not config.well:
        warnings.warn(f"λ {config.name}", Notice)
        if config.done is not None:
            config.done.touch()
        raise BadInput(f"λ {config.path}: no")

run_cli(Options, main)
"""


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    path = tmp_path_factory.mktemp("command") / "command.py"
    path.write_text(COMMAND, encoding="utf-8")
    return path


@pytest.fixture
def run(command):
    def run(*words, **environment):
        given = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
        return subprocess.run([sys.executable, command, *words], cwd=ROOT, env=given, capture_output=True, timeout=PATIENCE)

    return run


def test_what_a_terminal_would_obey_is_written_out():
    assert printable("a\x1b[31mb\r\x00\u202e\x85\udcff é日🦆") == "a\\x1b[31mb\\r\\x00\\u202e\\x85\\udcff é日🦆"


@pytest.mark.parametrize(
    ("environment", "sign"),
    [
        ({"PYTHONIOENCODING": "ascii"}, b"\\u03bb"),
        ({"LC_ALL": "POSIX"}, "λ".encode()),
        ({}, "λ".encode()),
    ],
    ids=["ascii", "POSIX", "UTF-8"],
)
def test_any_encoding_will_do(run, environment, sign):
    done = run("--name", "é", "--path", b"p\xff\x1b", **{"PYTHONIOENCODING": "", **environment})
    assert done.returncode == 2
    assert b"Traceback" not in done.stderr
    assert len(done.stderr.splitlines()) == 2
    assert done.stderr.endswith(b"p\\udcff\\x1b: no\n")
    assert len(done.stdout.splitlines()) == 2
    assert done.stdout.startswith(sign + b" ")
    assert sign + b" " in done.stderr


@pytest.mark.parametrize("filters", ["error", "ignore"])
def test_a_notice_is_told_whatever_the_warnings_are_set_to(run, filters):
    done = run(PYTHONWARNINGS=filters)
    assert done.returncode == 2
    assert [line.rpartition(": ")[2] for line in done.stderr.decode().splitlines()] == ["λ x", "no"]


def test_no_name_reaches_the_terminal_as_anything_but_text(run):
    done = run("--name", "\x1b]0;title\x07", "--path", "\x1b[2J\r")
    assert b"\x1b" not in done.stdout + done.stderr
    assert b"\\x1b]0;title\\x07" in done.stdout
    assert done.stdout.count(b"\n") == 2


def test_a_text_that_is_no_utf8_is_refused_in_one_line(run):
    done = run("--name", b"what\xff")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.endswith(b": --name must be UTF-8; got 'what\\udcff'.\n")


@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_a_reader_that_leaves_ends_nothing(command, tmp_path, unbuffered):
    """More than a pipe holds, so that the command still writes when nobody reads any more."""
    read, write = os.pipe()
    words = [sys.executable, command, "--times", "40000", "--done", tmp_path / "done"]
    with subprocess.Popen(
        words, cwd=ROOT, stdout=write, stderr=subprocess.PIPE, env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": unbuffered}
    ) as process:
        os.close(write)
        assert os.read(read, 10)
        os.close(read)
        told = process.communicate()[1]
    assert (tmp_path / "done").exists()
    assert process.returncode == 2, "its own status, not that of the pipe"
    assert len(told.splitlines()) == 2


def test_help_is_silent_for_head():
    done = subprocess.run(f"{sys.executable} -m probes --help | true", shell=True, cwd=ROOT, capture_output=True, timeout=PATIENCE)
    assert done.stderr == b""


@pytest.mark.parametrize("columns", ["1", "5"])
def test_help_comes_in_any_width(run, columns):
    done = run("--help", COLUMNS=columns)
    assert done.returncode == 0
    assert b"Says what it is given." in done.stdout


def test_a_full_disk_behind_the_output_is_one_line(command):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with open("/dev/full", "wb") as full:
        words = [sys.executable, command, "--well"]
        done = subprocess.run(words, cwd=ROOT, env=environment, stdout=full, stderr=subprocess.PIPE, timeout=PATIENCE)
    assert done.returncode == 2
    assert done.stderr.count(b"\n") == 1
    assert b"No space left on device" in done.stderr
