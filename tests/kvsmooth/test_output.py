"""What kvsmooth writes reaches any terminal."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import PATIENCE

ROOT = Path(__file__).parents[2]
QUIET = {"PYTHONWARNINGS": "ignore::RuntimeWarning"}  # runpy's, of a module that its package has imported already


@pytest.mark.slow
@pytest.mark.parametrize(("module", "pipe", "encoding"), [("kvsmooth", "true", "utf-8"), ("kvsmooth.sinks.row_entropy", "cat", "ascii")])
def test_drawings_and_lists_are_written_in_any_encoding_to_any_reader(module, pipe, encoding):
    words = f"{sys.executable} -m {module} | {pipe}; exit ${{PIPESTATUS[0]}}"
    environment = {**os.environ, "PYTHONIOENCODING": encoding, **QUIET}
    done = subprocess.run(["bash", "-c", words], cwd=ROOT, env=environment, capture_output=True, timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (0, b"")
    assert (done.stdout != b"") == (pipe == "cat")
