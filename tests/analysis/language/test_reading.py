"""How many captions the packaged language model reads, where it is there and where it is not."""

import pytest

from analysis.language.reading import FIRST, how_many
from probes.command.cli import BadInput, Notice
from probes.subjects.smollm2 import base


def test_how_many_are_read(monkeypatch):
    assert (how_many(0), how_many(None), how_many(7)) == (0, FIRST, 7)
    monkeypatch.setattr(base, "WHEEL", "not_installed")
    assert how_many(0) == 0
    with pytest.warns(Notice, match=r"^NLL and broken captions are left out: the package not_installed .*; or give --fluent 0\.$"):
        assert how_many(None) == 0
    with pytest.raises(BadInput, match=r"^--fluent 3: the package not_installed .*; or give --fluent 0\.$"):
        how_many(3)
