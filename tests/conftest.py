"""Settings that every test shares: one thread (two busy torch processes spin-wait each other out), no hub, no proxy, a fixed seed."""

import os
import signal

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ["no_proxy"] = os.environ["NO_PROXY"] = "127.0.0.1,localhost"  # servers of the tests are never behind a proxy
# a job in the background is started with interrupts ignored, and would hand that on to the processes of its tests
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

import pytest
import torch
import transformers
from hypothesis import settings

# the same examples in every run: what fails here fails there too (pytest --hypothesis-profile=default looks for new ones)
settings.register_profile("same", derandomize=True)
settings.load_profile("same")
torch.set_num_threads(1)
transformers.logging.set_verbosity_error()


@pytest.fixture(autouse=True)
def _seeded():
    torch.manual_seed(0)
