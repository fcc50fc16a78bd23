"""COCO's files for every test of the door, and NLTK's data, found as the tests of the metrics find them."""

import pytest

from tests.metrics.conftest import nltk_data as nltk_data
from tests.score.door import write_coco


@pytest.fixture
def coco(tmp_path):
    return write_coco(tmp_path / "coco")


@pytest.fixture
def options(tmp_path, coco):
    return ("--annotations", coco, "--cache", tmp_path / "cache", "--mode", "bundled")
