"""What kvsmooth writes reaches any terminal."""

import pytest

# `python -m kvsmooth | true`, whose reader leaves before the first line; at its end Python flushes, as here
PROGRAM = """
import os, runpy, sys
read, write = os.pipe()
os.close(read)
os.dup2(write, 1)
runpy.run_module("kvsmooth", run_name="__main__", alter_sys=True)
sys.stdout.flush()
"""


@pytest.mark.slow
def test_a_list_is_written_to_a_reader_that_leaves(apart):
    done = apart.run(PROGRAM)
    assert (done.status, done.err) == (0, b"")
