"""A pipe or a device where a command is given a file is refused in a line: nobody may ever write into it, and the command would wait."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from analysis.benchmark.annotated_images import read_ids
from analysis.language.texts import read_texts
from analysis.metrics.similarity import table
from analysis.published.logs import read_logs
from analysis.question.images import instances
from analysis.sinks.texts import read_captions
from analysis.words.vocabulary import read_synonyms
from probes.command.cli import BadInput
from probes.command.values import given_text

READERS: dict[str, Callable[[Path], Any]] = {
    "ids": read_ids,
    "texts": read_texts,
    "similar words": table,
    "table of logs": lambda path: read_logs(path.parent, path),
    "annotations": instances,
    "captions": lambda path: read_captions(path, [1]),
    "synonyms": read_synonyms,
}


@pytest.mark.parametrize("reader", READERS)
def test_what_is_no_file_is_refused(reader, tmp_path):
    """The device that is empty stands for those that never end, which a reader without this check would wait for here."""
    path = tmp_path / "given.csv"
    path.symlink_to(os.devnull)
    with pytest.raises(BadInput, match=r"given\.csv: this is a pipe or a device"):
        READERS[reader](path)


def test_a_pipe_is_no_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(BadInput, match=r"pipe: this is a pipe or a device, which may never end; write it into a file first\."):
        given_text(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"\xef\xbb\xbf1")
    assert given_text(tmp_path / "file", "utf-8-sig") == "1"
    for name, error in (("none", FileNotFoundError), (".", IsADirectoryError)):
        with pytest.raises(error):
            given_text(tmp_path / name)
