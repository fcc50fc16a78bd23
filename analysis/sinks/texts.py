"""The store of the measured texts: one npz an image, whole or not there, so that an interrupted run goes on."""

import json
import struct
import warnings
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis.sinks.scores import LAYER_AXIS, detectors, look
from analysis.sinks.targets import WINDOWS
from probes.command.cli import BadInput, Notice
from probes.command.files import atomic_write, sweep, write_bytes
from probes.command.provenance import git_commit
from probes.command.strict_json import as_plain, json_text
from probes.command.values import given_text
from probes.session import Session
from probes.subjects import Item
from probes.tracing.tokens import end_tokens, until_end

_TORN = (OSError, ValueError, TypeError, EOFError, KeyError, NotImplementedError, struct.error, zlib.error, zipfile.BadZipFile, SyntaxError)
Look = Callable[[Sequence[Item], Sequence[Sequence[int]]], list[dict[str, np.ndarray]]]
FORMAT = 1
"""Of the arrays in a file; another number is measured anew."""


def measured(session: Session, store: Path, seed: int = 0, own: Sequence[str] = ()) -> Iterator[dict[str, np.ndarray]]:
    """Arrays of `look` for every item of a replay session, from the store where they lie there whole, in the items' order.

    Parameters
    ----------
    session : says which captions are fed, as in `kept`
    own : detectors of one's own, as `module:Class`

    Warns
    -----
    Notice : at the end, if some of them were measured by another commit of the code

    Raises
    ------
    BadInput : the store was filled with other settings
    """
    chosen = detectors(session.subject, own)
    about = {"windows": list(WINDOWS), "seed": seed, "detectors": {name: as_plain(d) for name, d in chosen.items()}}
    return kept(session, store, about, lambda items, captions: look(session.subject, items, captions, chosen, seed), holds=LAYER_AXIS)


def kept(
    session: Session, store: Path, about: Mapping[str, Any], look: Look, told: str = "texts", holds: Collection[str] = ()
) -> Iterator[dict[str, np.ndarray]]:
    """What `look` says of every item of a replay session, from the store where it lies there whole, in the items' order.

    Parameters
    ----------
    session : says which captions are fed: given ones, those of a free recording, or the model's own greedy ones, made here; all up to
        their first end token, and cut to `max_new_tokens`
    about : what else decides the arrays
    look : of items and their captions, the arrays of each
    told : what the bar counts
    holds : arrays that a file must hold; one of an earlier version that lacks any is measured anew

    Warns
    -----
    Notice : at the end, if some of them were measured by another commit of the code

    Raises
    ------
    BadInput : the store was filled with other settings
    """
    from tqdm import tqdm

    ends = end_tokens(session.subject.tracing.speaker)
    older = 0
    open_store(store, {**_settings(session), **about})
    with tqdm(total=len(session.items), desc=told, unit="caption", disable=None) as bar:
        for chunk in chunks(session):
            paths = [store / f"{item.image_id}.npz" for item in chunk.items]
            there = [read(path, made, holds) for path, made in zip(paths, chunk.hashes, strict=True)]
            if any(text is None for text in there):
                captions = [until_end(caption, ends)[: session.max_new_tokens] for caption in session.replayed(chunk)]
                there = look(chunk.items, captions)
                for path, text, made in zip(paths, there, chunk.hashes, strict=True):
                    write(path, text, made)
            else:
                older += sum(str(text.pop("commit")) != git_commit() for text in there)
            yield from there
            bar.update(len(there))
    if older:
        line = f"{older} texts in {store} are of another commit of the code and were reused; remove the folder to measure them anew."
        warnings.warn(line, Notice, stacklevel=2)


def chunks(session: Session) -> Iterator[Any]:
    """The batches of a session, fixed by the order of its items."""
    from probes.chunk import Chunk

    for start in range(0, len(session.items), session.batch_size):
        yield Chunk(session.subject, session.items, start, session.batch_size)


def read_captions(path: Path, numbers: Sequence[int]) -> dict[int, str | list[int]]:
    """Captions from a JSON file, an object from image_id to a text or to token ids.

    Raises
    ------
    BadInput : no such file, other content, or an image without a caption
    """
    try:
        found = {int(number): caption for number, caption in json.loads(given_text(path)).items()}
    except BadInput:
        raise
    except OSError as error:
        raise BadInput(f"--captions {path}: cannot be read ({error.strerror}); give a JSON object of image_id: caption.") from error
    except (ValueError, AttributeError, TypeError) as error:
        raise BadInput(f"--captions {path}: is not a JSON object of image_id: caption.") from error
    missing = [number for number in numbers if not found.get(number)]
    if missing:
        raise BadInput(f"--captions {path}: has no caption of image {missing[0]}; add it, or ask for fewer --images.")
    return {number: found[number] for number in numbers}


def open_store(store: Path, settings: Mapping[str, Any]) -> None:
    """Compare the settings with those that the store was filled with, or write them down.

    Raises
    ------
    BadInput : they differ
    """
    path, wanted = store / "settings.json", as_plain(settings)
    if path.exists():
        try:
            there = dict(json.loads(path.read_text(encoding="utf-8")))
        except (ValueError, TypeError) as error:
            raise BadInput(f"{path}: is damaged; remove {store} and run the same command again.") from error
        for name, value in wanted.items():
            if there.get(name) != value:
                raise BadInput(f"{store} was filled with another {name}; give another folder (--store) or remove it.")
    else:
        write_bytes(path, (json_text(wanted, indent=1, sort_keys=True) + "\n").encode())
    sweep(store)


def write(path: Path, text: Mapping[str, np.ndarray], data_hash: str) -> None:
    """Write the arrays of one image, whole or not at all."""
    with atomic_write(path) as temporary, open(temporary, "wb") as file:
        about: dict[str, Any] = {"data_hash": np.array(data_hash), "format": np.array(FORMAT), "commit": np.array(git_commit())}
        np.savez_compressed(file, **{**text, **about})


def read(path: Path, data_hash: str, holds: Collection[str] = ()) -> dict[str, np.ndarray] | None:
    """The arrays of one image; None where the file is missing, torn, of another format or of another image, or lacks any of `holds`."""
    try:
        # opened here: numpy leaves a torn file open
        with open(path, "rb") as opened, np.load(opened, allow_pickle=False) as file:
            text = {"commit": np.array("unknown"), **file}
    except _TORN:
        return None
    same = str(text.pop("data_hash", "")) == data_hash and int(text.pop("format", 0)) == FORMAT
    return text if same and text.keys() >= set(holds) else None


def _settings(session: Session) -> dict[str, Any]:
    kept = ("subject", "model_revision", "dtype", "attention_implementation", "device", "captions", "batch_size", "max_new_tokens")
    return {"format": FORMAT, **{name: session.settings[name] for name in kept}}
