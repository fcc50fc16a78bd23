"""Settings that every test shares: one thread (two busy torch processes spin-wait each other out), no hub, no proxy, a fixed seed.

torch and transformers are loaded by the tests that need them; here only what is loaded already is set up.
"""

import gc
import os
import signal
import sys

os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = "1"
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1,localhost"  # servers of the tests are never behind a proxy
# a job in the background is started with interrupts ignored, and would hand that on to the processes of its tests
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import pytest
from hypothesis import HealthCheck, settings

from tests import arrays, lasting, shapes, weights

shapes.lighten()
arrays.lighten()
gc.disable()  # until all is loaded

# the same examples in every run: what fails here fails there too (pytest --hypothesis-profile=default looks for new ones); and none is
# timed, as a busy machine is slow at anything
settings.register_profile("same", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("same")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """Tests that take longer than a moment are marked by the list of them."""
    listed = lasting.lasting()
    for item in items:
        if item.nodeid in listed:
            item.add_marker("lasting")


def pytest_collection_finish():
    """What is loaded by now stays to the end: the collector need not walk through it each time; and weights are kept for later loads."""
    if "probes.subjects.loading" in sys.modules:
        weights.read_once()
    gc.enable()
    gc.collect()
    gc.freeze()
    gc.set_threshold(5000, 10, 10)  # a figure or a model's copy is thousands of objects that live on: looked through seven times less often


@pytest.fixture(autouse=True)
def _seeded():
    if "torch" in sys.modules:  # its manual_seed notes where it was called from, for devices that are not there: longer than many a test
        sys.modules["torch"].default_generator.manual_seed(0)
    if "transformers" in sys.modules:
        sys.modules["transformers"].logging.set_verbosity_error()
