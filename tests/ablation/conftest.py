"""The bundled subject, loaded once."""

import pytest

from probes.subjects import load_subject


@pytest.fixture(scope="session")
def subject():
    return load_subject()
