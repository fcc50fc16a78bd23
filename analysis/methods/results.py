"""Reduced data -> rows: each strength on validation scenes, described; each arm on test scenes against none, with the verdict on it.

Levels, changes, distances to the omission lines and the verdict are those of `analysis.published`, corrected by Holm over all arms;
primary, named in advance: CHAIR_s and CHAIR_i. Broken captions are those of `analysis.language.paired`.
"""

import json
from typing import Any

import xarray as xr

from analysis.captions.measures import UNITS, interval_of, ratios
from analysis.captions.rows import level_rows, of_split
from analysis.language.paired import fluency_rows
from analysis.methods.trial import NONE, spoken_of
from analysis.published.family import family
from analysis.published.results import as_text, corrected
from analysis.published.verdict import verdict
from analysis.question.question import by_name
from analysis.stats.rows import Row

TOLD = ("chosen", "aside", "given", "options", "reports", "seconds", "examples")
"""Attributes that stand in the results file as they are."""
OWN = (*TOLD, "objects")
"""Attributes that are the question's."""


def results(reduced: xr.Dataset, *, seed: int = 0, level: float = 0.95) -> tuple[list[Row], dict[str, Any]]:
    """All rows, and the lists that stand beside them in the file.

    Rows "validation/<measure>/<arm>", "<arm>/<measure>", "<arm> - none/<measure>", "<arm>/beyond every line/<measure>",
    "test/broken/<arm>" and "test/broken/<arm> - none".
    """
    spoken = spoken_of(reduced)
    found = family(NONE, spoken, NONE, len(json.loads(reduced.attrs["objects"])), level=level, seed=seed)
    rows = corrected(found.rows)
    read = by_name(json.loads(as_text(type(found)(rows, [], {})))["rows"])
    said = {arm: verdict(read, arm, NONE) for arm in spoken if arm != NONE}
    verdicts = [{"arm": arm, "verdict": one.kind, "parts": list(one.parts), "shares": one.shares} for arm, one in said.items()]
    # older data do not tell of all
    told = {name: json.loads(reduced.attrs[name]) for name in TOLD if name in reduced.attrs}
    fluent = fluency_rows(_looping(reduced), [*spoken], seed, level) if "nll" in reduced else []
    return _levels(reduced, seed, level) + rows + fluent, {"verdicts": verdicts, "lines": found.lines, **told}


def _looping(reduced: xr.Dataset) -> xr.Dataset:
    return reduced[["test", "nll", "nll_shuffled"]].rename(column="count")


def _levels(reduced: xr.Dataset, seed: int, level: float) -> list[Row]:
    """Each strength on the validation scenes."""
    counts = reduced["validation"].transpose("setting", "scene", "count").values.astype(float)
    settings = [str(setting) for setting in reduced["setting"].values]
    return level_rows(interval_of(counts, ratios, seed, level), settings, UNITS, counts.shape[1], of_split("validation"))
