"""The first images of a replay session, looked at once and kept beside the question's texts, then reduced."""

from dataclasses import replace
from pathlib import Path

import xarray as xr

from analysis.sinks.anatomy.look import look
from analysis.sinks.anatomy.names import SCENES
from analysis.sinks.anatomy.reduce import reduce
from analysis.sinks.texts import kept
from probes.session import Session
from probes.tower import layer_read, tower_layers


def measured(session: Session, store: Path) -> xr.Dataset:
    """The reduced data of the session's first `SCENES` captions; what lies in the store whole is not measured again."""
    subject, items = session.subject, session.items[:SCENES]
    first = replace(session, items=items)
    texts = list(kept(first, store / "anatomy", {}, lambda some, captions: look(subject, some, captions), "anatomy"))
    read = layer_read(subject.model, len(tower_layers(subject.model)))
    return reduce(texts, [item.image_id for item in items], read, lambda token: _shown(subject.tokenizer.decode([token])))


def _shown(text: str) -> str:
    """A token's text in one line, without the space before a word."""
    return text.strip() or repr(text)[1:-1]
