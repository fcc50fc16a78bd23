"""What kvsmooth writes reaches any terminal."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
QUIET = {"PYTHONWARNINGS": "ignore::RuntimeWarning"}  # runpy's, of a module that its package has imported already


@pytest.mark.parametrize("module", ["kvsmooth", "kvsmooth.sinks.row_entropy"])
def test_drawings_and_lists_are_written_in_any_encoding_to_any_reader(module):
    for pipe, encoding in (("cat >/dev/null", "ascii"), ("true", "utf-8")):
        words = f"{sys.executable} -m {module} | {pipe}; exit ${{PIPESTATUS[0]}}"
        done = subprocess.run(
            ["bash", "-c", words], cwd=ROOT, env={**os.environ, "PYTHONIOENCODING": encoding, **QUIET}, capture_output=True, timeout=240
        )
        assert (done.returncode, done.stderr) == (0, b"")
