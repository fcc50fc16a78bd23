"""The lines printed at the end of a run: primary outcomes, captions, and exclusions, as aligned text."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from analysis.question.arms import CONTRAST, CONTROL, TREATED
from analysis.question.question import by_name
from analysis.telling.wording import aligned, p_value


def summary(found: Mapping[str, Any]) -> str:
    """The table of primary outcomes, the table of captions, and the exclusions."""
    rows = by_name(found["results"])
    level = f"{100 * found['provenance']['config']['level']:.4g} %"
    head = ("outcome", "regime", "n", "none", "KVSmooth", "difference", f"{level} interval", "p", "p adjusted", "d_z")
    primary = [_primary(row) for row in rows.values() if row["role"] == "primary"]
    parts = ["Primary outcomes (mean of the smoothed layers, paired by image)", *aligned([head, *primary], right=True)]
    # rows about captions have no statistic over steps
    told = [row for row in rows.values() if "statistic" not in row["where"] and row["where"]["contrast"] == CONTRAST]
    captions = [_caption(row, rows) for row in told]
    if captions:
        parts += ["", "Free captions (exploratory)", *aligned([(head[0], *head[2:8]), *captions], right=True)]
    parts += ["", *_left_out(found.get("exclusions", {}))]
    parts += [f"{row['name']}: {row['reason']}" for row in rows.values() if row["role"] == "primary" and row["reason"]]
    return "\n".join(parts)


def _primary(row: Mapping[str, Any]) -> tuple[str, ...]:
    where, effect = row["where"], row["effect"]
    label = f"{where['quantity']} {where['statistic']} ({row['unit']})"
    numbers = (effect.get(CONTROL), effect.get(TREATED), row["estimate"])
    return (
        label,
        where["regime"],
        str(row["n"]),
        *map(_number, numbers),
        _interval(row),
        p_value(row["p"]),
        p_value(row["p_adjusted"]),
        _number(effect.get("d_z")),
    )


def _caption(row: Mapping[str, Any], rows: Mapping[str, Any]) -> tuple[str, ...]:
    name = row["where"]["quantity"]
    arms = (rows[f"free/{name}/{arm}"]["estimate"] for arm in (CONTROL, TREATED))
    return (name, str(row["n"]), *map(_number, arms), _number(row["estimate"]), _interval(row), p_value(row["p"]))


def _left_out(exclusions: Mapping[str, Any]) -> list[str]:
    lines = []
    for regime, told in exclusions.items():
        short, lost = told["too_short"], told["missing_values"]
        text = f"{regime}: {told['images']} images, {len(short)} left out with fewer than {told['min_steps']} tokens in an arm"
        text += f" ({', '.join(map(str, short[:8]))}{', ...' if len(short) > 8 else ''})" if short else ""
        text += "; missing values inside captions: " + (", ".join(f"{name} {count}" for name, count in lost.items()) or "none")
        lines.append(text)
    return lines


def _number(value: float | None) -> str:
    return "-" if value is None or not np.isfinite(value) else f"{value:.4g}"


def _interval(row: Mapping[str, Any]) -> str:
    low, high = row["interval"]
    return f"[{_number(low)}, {_number(high)}]"
