"""The packaged language model's weights, read once for the tests of this folder."""

import pytest

from probes.subjects.smollm2 import loading
from probes.subjects.smollm2.base import base_weights


@pytest.fixture(scope="package")
def weights():
    """Half a gigabyte, given back after the folder's last test; nobody writes into it."""
    return base_weights()


@pytest.fixture(scope="package")
def read_once(weights):
    """A subject is loaded from these weights: whoever takes them copies."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(loading, "base_weights", lambda: weights)
        yield
