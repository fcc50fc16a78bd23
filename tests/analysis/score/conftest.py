"""COCO's files for every test of the door."""

import pytest

from tests.analysis.score.door import write_coco


@pytest.fixture
def coco(tmp_path):
    return write_coco(tmp_path / "coco")


@pytest.fixture
def options(tmp_path, coco):
    return ("--annotations", coco, "--cache", tmp_path / "cache", "--mode", "bundled")
