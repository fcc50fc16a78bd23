"""What kvsmooth writes reaches any terminal."""

import pytest

# `python -m kvsmooth ... | true`, whose reader leaves before the first line; with a buffer, whatever PYTHONUNBUFFERED says, which Python
# flushes at its end: what is short is still in it
PROGRAM = """
import os, runpy, sys
read, write = os.pipe()
os.close(read)
os.dup2(write, 1)
sys.stdout = open(1, "w", closefd=False)
sys.argv = ["kvsmooth", *{words}]
try:
    runpy.run_module("kvsmooth", run_name="__main__", alter_sys=True)
finally:
    sys.stdout.flush()
"""


@pytest.mark.slow
@pytest.mark.parametrize("words", [[], ["doctor", "--help"]], ids=["list", "help"])
def test_what_is_told_a_reader_that_leaves_is_no_error(apart, words):
    done = apart.run(PROGRAM.format(words=words))
    assert (done.status, done.err) == (0, b"")
