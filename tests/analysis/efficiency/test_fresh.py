"""A process of its own: no peak but its own in it, its failure is told."""

import os
import signal
import threading

import pytest

from analysis.efficiency.fresh import in_fresh_process, own_peak
from tests.processes import all_end, until

MUCH = 2**28


def hold(size):
    before, held = own_peak(), b"\1" * size
    return own_peak() - before + 0 * len(held)


@pytest.mark.slow
def test_each_process_tells_its_own_peak_and_how_it_failed():
    held = b"\1" * MUCH  # by this process, and by an earlier one
    assert in_fresh_process(hold, MUCH, told="much") > 0.9 * MUCH
    assert in_fresh_process(hold, 0, told="nothing") < 0.1 * MUCH
    assert in_fresh_process(os.getpid, told="its number") != os.getpid()
    assert in_fresh_process(own_peak, told="what imports take") < own_peak()
    assert len(in_fresh_process(bytes, 2**20, told="more than a pipe holds")) == 2**20
    with pytest.raises(RuntimeError, match=r"^an arm ended with status 3"):
        in_fresh_process(os._exit, 3, told="an arm")
    del held


def wait_in(folder):
    os.kill(os.getpid(), signal.SIGINT)  # as a terminal would, which tells both
    (folder / str(os.getpid())).touch()
    signal.pause()


@pytest.mark.slow
def test_an_interrupt_ends_the_process_that_is_waited_for_without_a_word_of_its_own(tmp_path, capfd):
    def interrupt():
        until(lambda: any(tmp_path.iterdir()))
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt, daemon=True)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        in_fresh_process(wait_in, tmp_path, told="one that waits")
    thread.join()
    assert all_end([int(path.name) for path in tmp_path.iterdir()])
    assert capfd.readouterr().err == ""
