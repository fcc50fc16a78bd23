"""Names of the axes of sinks.nc: what a redraw needs to know without loading a model's libraries."""

from collections.abc import Mapping, Sequence
from typing import Any

GROUPS = ("generated", "prompt", "image")
"""Token groups of the agreement; prompt is all prompt text, BOS and system text included."""
KINDS = ("pooled", "within", "stratified")
"""Pairs of any two tokens; of one image; of one decoding step."""
BOUNDS = ("estimate", "low", "high")
BASELINES = ("position", "token")
"""Early before late; and how often the same token was positive in the other images."""
NULLS = ("permuted", "shifted")
"""Labels in random order within the image; labels turned round the caption, which keeps what neighbours share."""
COUNTS = ("both", "fires", "sink", "neither")
"""Tokens on which a detector fires and attention says sink; only the detector; only attention; neither."""
PLACES = ("bos", "prompt", "image", "generated")
"""Token groups of the prevalence: system and prompt text are one."""
OBSERVATION = "observation 2"
WITHOUT_FIRST = f"{OBSERVATION} without the first token"
"""The same with the first token, the usual sink, left out of the entropies; tested by itself, apart from the rows of `OBSERVATION`."""
SINKS = tuple(f"prevalence/mean_received/{place}" for place in ("bos", "prompt", "image"))
"""Rows of how many tokens of the prompt are sinks."""
MAIN = 20
"""The window, in queries, of which layers, nulls and the absolute label are told."""
RESAMPLES = 1999


def without_sinks(rows: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether results say that no token of the prompt is a sink."""
    told = [rows[name]["estimate"] for name in SINKS if name in rows]
    return bool(told) and not any(share > 0 for share in told)


def scorers(detectors: Sequence[str]) -> tuple[str, ...]:
    """What is scored: the detectors, then the baselines."""
    return (*detectors, *BASELINES)


def lead(name: str, about: Mapping[str, Mapping[str, Any]]) -> str:
    """When a scorer is known: a detector's `known`; a baseline knows position and token before."""
    return "before" if name in BASELINES else about[name]["known"]
