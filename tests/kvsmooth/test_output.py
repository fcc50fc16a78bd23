"""What kvsmooth writes reaches any terminal."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.processes import PATIENCE

ROOT = Path(__file__).parents[2]


@pytest.mark.slow
def test_a_list_is_written_to_a_reader_that_leaves():
    words = f"{sys.executable} -m kvsmooth | true; exit ${{PIPESTATUS[0]}}"
    done = subprocess.run(["bash", "-c", words], cwd=ROOT, capture_output=True, timeout=PATIENCE)
    assert (done.returncode, done.stderr) == (0, b"")
