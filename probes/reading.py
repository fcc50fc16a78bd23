"""Reading what a session has recorded, a few variables of many files; what is missing there is recorded first."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import xarray as xr

from probes.command.cli import BadInput
from probes.command.provenance import git_commit
from probes.recorders import RECORDERS
from probes.recordings.netcdf import Part
from probes.recordings.recording import merge
from probes.recordings.schema import VARIABLES
from probes.recordings.store import tell_older

if TYPE_CHECKING:
    from probes.session import Session


def read_recorded(session: "Session", variables: Sequence[str], progress: bool = True) -> xr.Dataset:
    """The session's recordings as one dataset of these variables.

    Where all lie in the folder whole, each file is opened once; else what is missing is recorded, then all of them are read.

    Raises
    ------
    BadInput : a variable is not in the schema, none of the recorders gives it, or the folder holds the recording of another run
    """
    if unknown := [name for name in variables if name not in VARIABLES]:
        raise BadInput(f"record.variables must be names of the schema (docs/recording.md); got {unknown[0]}.")
    # asked before anything is recorded, which may take hours
    idle = {name for key in RECORDERS.keys() - set(session.recorders) for name in RECORDERS[key].variables}
    if absent := [name for name in variables if name in idle]:
        raise BadInput(f"record.variables: {absent[0]} is given by none of the recorders {', '.join(session.recorders)}.")
    merged = None
    if session.out is not None:
        session.store.open(session.settings, session.options)
        parts = _stored(session, variables)
        if parts is not None:
            tell_older((part.attributes["git_commit"] for part in parts), git_commit(), session.store.folder)
        else:
            for _ in session.recordings(progress):  # which tells the same at its end
                continue
            parts = _stored(session, variables)
        if parts is not None:
            merged = merge(parts)
    if merged is None:  # nothing is kept, or the disk takes and does not give
        merged = merge(session.recordings(progress))
        merged = merged[[name for name in merged.data_vars if name in variables]]
    return merged


def _stored(session: "Session", variables: Sequence[str]) -> list[Part] | None:
    """Every recording of the session from its folder; None if one is missing or torn."""
    paths = [session.store.path(arm, item.image_id) for arm in session.arms for item in session.items]
    if not all(path is not None and path.exists() for path in paths):
        return None
    parts = []
    for arm in session.arms:
        for item in session.items:
            part = session.store.part(arm, item.image_id, item.content, variables)
            if part is None:
                return None
            parts.append(part)
    return parts
