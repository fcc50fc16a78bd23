"""Every detector draws itself on the toy layer."""

import os
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

import kvsmooth.sinks
from kvsmooth.sinks import SINKS
from kvsmooth.sinks.toy import SINKS_AT, TOKENS
from tests.processes import PATIENCE

FOLDER = Path(kvsmooth.sinks.__file__).parent


def check(text: str, name: str):
    lines = text.splitlines()
    assert lines[0].startswith(f"{name}: known {SINKS[name].known}, unit {SINKS[name].unit}")
    assert len(lines) == TOKENS + 7
    assert lines[-3].startswith("score  ")
    assert lines[-2].startswith("sinks  ")
    assert [i for i, sign in enumerate(lines[-1][7 : 7 + TOKENS]) if sign == "^"] == list(SINKS_AT)
    assert "^" in lines[-2]


@pytest.mark.parametrize("name", SINKS)
def test_a_file_draws_itself(name, capsys):
    runpy.run_path(str(FOLDER / f"{name}.py"), run_name="__main__")
    check(capsys.readouterr().out, name)


def test_a_file_draws_itself_as_a_module_of_its_own(capsys):
    with pytest.warns(RuntimeWarning, match="found in sys.modules"):  # the package imports it too
        runpy.run_module("kvsmooth.sinks.row_entropy", run_name="__main__")
    check(capsys.readouterr().out, "row_entropy")


@pytest.mark.slow
def test_a_file_draws_itself_as_a_script_in_any_encoding():
    environment = {**os.environ, "PYTHONIOENCODING": "ascii"}
    words = [sys.executable, "-W", "error", str(FOLDER / "key_norm.py")]
    done = subprocess.run(words, env=environment, capture_output=True, text=True, timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.isascii()
    check(done.stdout, "key_norm")
