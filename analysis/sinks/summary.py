"""The lines printed at the end of a run: prediction at the main window, Observation 2, sinks found, prevalence and exclusions."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from analysis.sinks.names import BASELINES, KINDS
from analysis.sinks.observation import RECEIVED, RELATIONS, VARIANTS
from analysis.sinks.style import label, leads, ranked
from analysis.telling.wording import aligned


def summary(data: xr.Dataset, rows: Mapping[str, Mapping[str, Any]]) -> str:
    """Aligned text."""
    window, known = int(data.attrs["main_window"]), leads(data)
    share = float(data["prevalence"].sel(label="top", window=window))
    some = float(data["prevalence"].sel(label="absolute", window=window))
    head = ("score", "known", *KINDS, "same token", "p adjusted", "absolute label")
    lines = [
        (
            label(name),
            "baseline" if name in BASELINES else known[name],
            *(_interval(rows[f"prediction/{kind}/{name}/w{window}"]) for kind in KINDS),
            _interval(rows[f"prediction/same token/{name}/w{window}"]),
            _number(rows[f"prediction/within/{name}/w{window}"]["p_adjusted"], 4),
            _number(rows[f"prediction/pooled, absolute label/{name}/w{window}"]["estimate"]),
        )
        for name in ranked(data)
    ]
    parts = [
        f"AUROC for the attention of the next {window} queries; positive: {share:.1%} of tokens (top {float(data.attrs['share']):.0%} of "
        f"image and layer); absolute label (some head above {float(data.attrs['eps']):g}): {some:.2%}",
        *aligned([head, *lines]),
        "",
        "Observation 2: row entropy and attention received, mean over layers, heads and captions",
        *aligned([("relation", *VARIANTS, "p adjusted"), *_observation(rows)]),
        "",
        "Sinks found: precision and recall against received attention",
        *aligned([("detector", "precision", "recall"), *_found(data, rows)]),
        _channels(data),
        f"{data.sizes['image']} images, {int((data['steps'] < data.attrs['fewest']).sum())} too short for correlations",
    ]
    return "\n".join(parts)


def _observation(rows: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, ...]]:
    made = []
    for received in RECEIVED:
        for relation in RELATIONS:
            found = [rows[f"observation 2/{received}/{relation}/{variant}"] for variant in VARIANTS]
            p = _number(found[0]["p_adjusted"], 4)
            made.append((f"{relation}, {label(received)}", *(_number(row["estimate"]) for row in found), p))
    return made


def _found(data: xr.Dataset, rows: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, ...]]:
    eps = f"{float(data.attrs['eps']):g}"
    return [
        (label(str(name)), *(_interval(rows[f"received attention above {eps}/{measure}/{name}"]) for measure in ("precision", "recall")))
        for name in data["detector"].values
    ]


def _channels(data: xr.Dataset) -> str:
    found = json.loads(data.attrs["channels"])
    if not found:
        return "no channel carries massive activations in any prompt"
    told = [f"layer {layer}: " + ", ".join(f"{name} ({part:.0%})" for name, part in by.items()) for layer, by in found.items()]
    return "sink channels (share of prompts): " + "; ".join(told)


def _interval(row: Mapping[str, Any]) -> str:
    low, high = row["interval"]
    return f"{_number(row['estimate'])} [{_number(low)}, {_number(high)}]" if np.isfinite([low, high]).all() else _number(row["estimate"])


def _number(value: float, digits: int = 3) -> str:
    return f"{value:.{digits}f}" if np.isfinite(value) else "-"
