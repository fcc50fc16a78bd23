"""The store of recordings: what lies damaged in it is named."""

import pytest

from probes.command.cli import BadInput
from probes.recordings.store import RecordingStore


@pytest.mark.parametrize("content", ["{", "[]", "null", '"text"', "[" * 5000], ids=["cut", "list", "null", "text", "deep"])
def test_damaged_settings_are_named(tmp_path, content):
    (tmp_path / "recording.json").write_text(content, encoding="utf-8")
    with pytest.raises(BadInput, match=r"recording\.json is damaged"):
        RecordingStore(tmp_path).open({}, {})
