"""Settings that every test shares: one thread (two busy torch processes spin-wait each other out), no hub, a fixed seed, fixed examples."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ["HF_HUB_OFFLINE"] = "1"
os.environ.setdefault("MPLBACKEND", "Agg")

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
