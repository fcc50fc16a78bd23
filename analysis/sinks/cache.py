"""A cache of the reduction of measured texts, which takes minutes: valid until texts, options or code change."""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

import analysis.stats
from analysis.question.question import compressed
from probes.command.files import atomic_write
from probes.command.provenance import digest
from probes.command.strict_json import as_json


def cached(store: Path, texts: Sequence[dict[str, np.ndarray]], about: Any, make: Callable[[], xr.Dataset]) -> xr.Dataset:
    """What `make` makes of these texts, read from the store where it lies there.

    Parameters
    ----------
    about : all else that decides it, JSON-able
    """
    path = store / f"reduced-{digest(_deciding(texts, about))}.nc"
    try:
        return xr.load_dataset(path, engine="h5netcdf").drop_encoding()
    except (OSError, ValueError, KeyError):  # not there, or damaged
        made = make()
    with atomic_write(path) as temporary:
        made.to_netcdf(temporary, engine="h5netcdf", encoding=compressed(made, complevel=1))
    for older in store.glob("reduced-*.nc"):
        if older != path:
            older.unlink(missing_ok=True)
    return made


def _deciding(texts: Sequence[dict[str, np.ndarray]], about: Any) -> Iterator[str | bytes]:
    """The texts, the options, and the code that counts: this folder's and that of the statistics."""
    yield as_json(about)
    for folder in (Path(__file__).parent, Path(analysis.stats.__file__).parent):
        for source in sorted(folder.glob("*.py")):
            yield source.read_bytes()
    for text in texts:
        for name, values in text.items():
            yield f"{name} {values.dtype} {values.shape}"
            yield np.ascontiguousarray(values).tobytes()
