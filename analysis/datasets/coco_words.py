"""A cache of the objects named in people's captions, beside the annotations: each reader fills it once, for the images it needs."""

import sqlite3
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tqdm import tqdm

from analysis.datasets.annotation_set import caption_nodes
from analysis.words.readers import Reader
from probes.command.cli import BadInput, Notice

TOGETHER = 200
"""Images of one transaction: what an interrupt may cost."""


@dataclass(frozen=True)
class NodeStore:
    """CHAIR's nodes of the captions of images.

    Parameters
    ----------
    path : sqlite file, made when first needed; its name tells annotations, reader and the reader's tables
    """

    path: Path

    def nodes(
        self, ids: Sequence[int], captions: Callable[[Sequence[int]], Mapping[int, tuple[str, ...]]], reader: Reader
    ) -> dict[int, frozenset[str]]:
        """By image, the nodes that its captions name; what is not kept yet is read and kept.

        Parameters
        ----------
        captions : of given ids; asked for those alone whose nodes are not kept

        Raises
        ------
        BadInput : the file cannot be written
        """
        try:
            return self._nodes(ids, captions, reader)
        except sqlite3.OperationalError as error:
            raise BadInput(f"{self.path}: the cache cannot be used ({error}); make room, or choose another folder with --cache.") from None
        except (sqlite3.DatabaseError, KeyError):
            warnings.warn(f"{self.path}: this cache is damaged, it is made again.", Notice, stacklevel=2)
            self.path.unlink(missing_ok=True)
            return self._nodes(ids, captions, reader)

    def _nodes(
        self, ids: Sequence[int], captions: Callable[[Sequence[int]], Mapping[int, tuple[str, ...]]], reader: Reader
    ) -> dict[int, frozenset[str]]:
        with closing(sqlite3.connect(self.path, timeout=60)) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS node (image_id INTEGER PRIMARY KEY, names TEXT)")
            found = _kept(connection, ids, reader)
            missing = [image_id for image_id in ids if image_id not in found]
            with tqdm(total=len(missing), desc="people's captions", disable=not missing or not sys.stderr.isatty()) as bar:
                for part in parts(missing, TOGETHER):
                    texts = captions(part)
                    read = {image_id: caption_nodes(texts.get(image_id, ()), reader) for image_id in part}
                    with connection:
                        rows = [(image_id, ",".join(sorted(names))) for image_id, names in read.items()]
                        connection.executemany("INSERT OR REPLACE INTO node VALUES (?, ?)", rows)
                    found |= read
                    bar.update(len(part))
        return found


def parts(ids: Sequence[int], size: int = 500) -> Iterator[Sequence[int]]:
    """The ids in pieces: one query takes only so many."""
    return (ids[start : start + size] for start in range(0, len(ids), size))


def _kept(connection: sqlite3.Connection, ids: Sequence[int], reader: Reader) -> dict[int, frozenset[str]]:
    known = {node: node for node in reader.vocabulary.table.values()}
    found: dict[int, frozenset[str]] = {}
    for part in parts(ids):
        rows = connection.execute(f"SELECT image_id, names FROM node WHERE image_id IN ({','.join('?' * len(part))})", part)
        # a name that is no node raises KeyError: the file is not what was written
        found |= {image_id: frozenset(known[name] for name in names.split(",") if name) for image_id, names in rows}
    return found
