"""The caches beside COCO: made once, whole or not there, named by content, mended when damaged; an interrupt keeps what is read."""

import os
import pickle
import sqlite3
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass, field

import pytest

from analysis.datasets import coco_cache, coco_words
from analysis.datasets.coco import open_coco
from analysis.datasets.coco_files import AnnotationFile
from analysis.datasets.emoji import write_coco
from analysis.datasets.synthetic_coco import CocoSize, synthetic_captions, write_synthetic_coco
from analysis.words.readers import Bundled
from analysis.words.vocabulary import Vocabulary, chair
from probes.command.cli import BadInput, Notice


@dataclass(frozen=True)
class Counting:
    """A bundled reader that tells what it was asked to read, and may be interrupted after some captions."""

    asked: list[str] = field(default_factory=list)
    key: str = "first"
    stop: int = 10**9
    mode: str = "counting"
    vocabulary: Vocabulary = field(default_factory=chair)

    def merged(self, caption):
        return Bundled().merged(caption)

    def words(self, caption):
        if len(self.asked) >= self.stop:
            raise KeyboardInterrupt
        self.asked.append(caption)
        return Bundled().words(caption)


@pytest.fixture
def folder(tmp_path):
    return write_coco(tmp_path, 6).annotations


@pytest.fixture
def parsed(monkeypatch):
    """Names of the files that are parsed."""
    names, usual = [], AnnotationFile.rows
    monkeypatch.setattr(AnnotationFile, "rows", lambda self: names.append(self.path.name) or usual(self))
    return names


def test_files_are_parsed_once_and_again_when_their_content_changes(tmp_path, folder, parsed):
    first = open_coco(folder, cache=tmp_path / "cache")
    assert parsed == ["instances_val2014.json", "captions_val2014.json"]
    assert open_coco(folder, cache=tmp_path / "cache").key == first.key
    assert len(parsed) == 2
    path = folder / "captions_val2014.json"
    told = path.stat()
    content = path.read_bytes().replace(b'"caption": "A', b'"caption": "O', 1)
    path.write_bytes(content)
    os.utime(path, ns=(told.st_atime_ns, told.st_mtime_ns))
    assert open_coco(folder, cache=tmp_path / "cache").key != first.key, "same size and time, other content"
    assert len(parsed) == 4
    assert first.ids() == open_coco(folder, cache=tmp_path / "cache").ids(), "the former cache is still there"


@pytest.mark.parametrize("damage", ["zeroes", "cut", "empty", "text", "row lost"])
def test_a_damaged_cache_is_made_again(tmp_path, folder, damage):
    coco = open_coco(folder, cache=tmp_path / "cache")
    expected, content = coco.captions(coco.ids()), coco.path.read_bytes()
    if damage == "row lost":
        with closing(sqlite3.connect(coco.path)) as connection, connection:
            connection.execute("DELETE FROM caption WHERE image_id = ?", (coco.ids()[0],))
    else:
        half = len(content) // 2
        coco.path.write_bytes({"zeroes": content[:half] + bytes(half), "cut": content[:half], "empty": b"", "text": b"no cache"}[damage])
    with pytest.warns(Notice, match="this cache is damaged, it is made again"):
        again = open_coco(folder, cache=tmp_path / "cache")
    assert again.captions(again.ids()) == expected


def test_an_interrupt_leaves_no_cache_and_takes_none(tmp_path, folder, monkeypatch):
    good = open_coco(folder, cache=tmp_path / "cache")
    before = good.path.read_bytes()
    (folder / "captions_val2014.json").write_bytes((folder / "captions_val2014.json").read_bytes() + b"\n")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(coco_cache._Contents, "close", interrupted)
    with pytest.raises(KeyboardInterrupt):
        open_coco(folder, cache=tmp_path / "cache")
    assert [path.name for path in (tmp_path / "cache").iterdir()] == [good.path.name]
    assert good.path.read_bytes() == before


def test_a_file_that_changes_while_it_is_read_is_told(tmp_path, folder, monkeypatch):
    path, usual = folder / "captions_val2014.json", coco_cache._make

    def late(*given):
        path.write_bytes(path.read_bytes() + b"\n")
        usual(*given)

    monkeypatch.setattr(coco_cache, "_make", late)
    with pytest.raises(BadInput, match=r"captions_val2014.json: the file changed while it was read"):
        open_coco(folder, cache=tmp_path / "cache")
    assert list((tmp_path / "cache").iterdir()) == []


def test_two_runs_at_once_are_as_one(tmp_path, folder):
    def run(_):
        coco = open_coco(folder, cache=tmp_path / "cache", progress=False)
        return coco.key, coco.truth(coco.ids(), Bundled())

    with ThreadPoolExecutor(3) as pool:
        found = list(pool.map(run, range(3)))
    assert found[0] == found[1] == found[2]
    assert not list((tmp_path / "cache").glob(".*")), "no temporary file is left"


def test_a_folder_that_cannot_be_a_cache_is_told(tmp_path, folder):
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(OSError, match="exists"):
        open_coco(folder, cache=tmp_path / "cache")


def test_captions_are_read_once_by_each_reader_and_only_where_asked(tmp_path, folder):
    coco, reader = open_coco(folder, cache=tmp_path / "cache"), Counting()
    ids = coco.ids()
    expected = coco.truth(ids, Bundled())
    assert coco.truth(ids[:2], reader) == {i: expected[i] for i in ids[:2]}
    assert len(reader.asked) == 2
    assert coco.truth(ids, reader) == expected
    assert len(reader.asked) == 6, "two were kept"
    again = pickle.loads(pickle.dumps(open_coco(folder, cache=tmp_path / "cache")))
    assert again.truth(ids, reader) == expected
    assert len(reader.asked) == 6
    other = Counting(key="other tables")
    assert coco.truth(ids, other) == expected
    assert len(other.asked) == 6


def test_an_interrupt_keeps_the_captions_that_were_read(tmp_path, folder, monkeypatch):
    monkeypatch.setattr(coco_words, "TOGETHER", 2)
    coco = open_coco(folder, cache=tmp_path / "cache")
    with pytest.raises(KeyboardInterrupt):
        coco.truth(coco.ids(), Counting(stop=5))
    left = Counting()
    assert coco.truth(coco.ids(), left) == coco.truth(coco.ids(), Bundled())
    assert len(left.asked) == 2, "two transactions of two were kept, the third was begun"


@pytest.mark.parametrize("damage", ["text", "no node"])
def test_a_damaged_store_of_words_is_made_again(tmp_path, folder, damage):
    coco, reader = open_coco(folder, cache=tmp_path / "cache"), Counting()
    expected = coco.truth(coco.ids(), reader)
    (store,) = (tmp_path / "cache").glob("*-words-*")
    if damage == "text":
        store.write_text("no cache at all" * 100)
    else:
        with closing(sqlite3.connect(store)) as connection, connection:
            connection.execute("UPDATE node SET names = 'unicorn'")
    with pytest.warns(Notice, match="this cache is damaged, it is made again"):
        assert coco.truth(coco.ids(), reader) == expected
    assert len(reader.asked) == 12


def test_a_store_that_cannot_be_written_is_told(tmp_path, folder):
    coco = open_coco(folder, cache=tmp_path / "cache")
    coco.path.with_name(f"{coco.path.stem}-words-counting-first.sqlite").mkdir()
    with pytest.raises(BadInput, match=r"the cache cannot be used .*choose another folder with --cache"):
        coco.truth(coco.ids(), Counting())


def test_synthetic_files_are_cocos_and_the_same_for_a_seed(tmp_path):
    size = CocoSize.scaled(0.0005)
    made = [write_synthetic_coco(tmp_path / name, size, seed) for name, seed in (("a", 0), ("b", 0), ("c", 1))]
    content = [b"".join(path.read_bytes() for path in sorted(folder.iterdir())) for folder in made]
    assert content[0] == content[1] != content[2]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        coco = open_coco(made[0], cache=tmp_path / "cache")
    assert len(coco.ids()) == sum(count for _, count in size.images)
    assert sum(map(len, coco.captions(coco.ids()).values())) == sum(count for _, count in size.captions)
    assert all(coco.truth(coco.ids(), Bundled()).values())
    said = list(synthetic_captions(coco.ids(), 70, 3))
    assert len(said) == 70
    assert len({row["image_id"] for row in said}) == len(coco.ids())
    with pytest.raises(BadInput, match=r"CocoSize.images must be at least 1"):
        CocoSize(images=(("val", 0),))
