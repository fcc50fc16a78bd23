"""What several rooms of these tests start once."""

import pytest

from tests.kvsmooth.loaded import loaded
from tests.rooms import ROOT


@pytest.fixture(scope="session")
def apart(tmp_path_factory):
    """A process without pytest's checks that has loaded torch, transformers and kvsmooth, and is forked for each program."""
    with loaded(tmp_path_factory.mktemp("loaded"), ROOT / "kvsmooth" / "sinks" / "key_norm.py") as forked:
        yield forked
