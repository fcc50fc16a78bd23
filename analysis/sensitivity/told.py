"""The question's paragraph on the findings page; every number in it is read out of the results."""

import math
from collections.abc import Mapping
from typing import Any

from analysis.ablation.names import BASELINE, PAPER
from analysis.ablation.panels import Rows, passes
from analysis.question import by_name
from analysis.sensitivity.names import DEFAULT_MARGIN, DEFAULT_WINDOW, OPTIONS, PRIMARY

NAMES = {"chair_i": "CHAIR_i", "f1": "F1"}


def paragraph(found: Mapping[str, Any]) -> str:
    """What the results say: how far each option moves the primary outcomes, in which direction, and beyond its dose or not."""
    rows, told = by_name(found["results"]), found["provenance"]
    config = told["config"]
    grid: dict[str, list[dict[str, Any]]] = {}
    for one in found["settings"]:
        grid.setdefault(one["option"], []).append(one)
    level = f"{100 * config['level']:g} %"
    tests = sum(row["role"] == "primary" for row in rows.values())
    parts = [
        f"{told['n']} scenes, {len(found['cells'])} ways of smoothing, one option changed at a time round `lambda_ref` "
        f"{config['lambda_ref']:g}, margin {DEFAULT_MARGIN:g}, window {DEFAULT_WINDOW} and the paper's band. Primary, named in advance: "
        f"how far CHAIR_i and F1 move over the settings of each option (largest minus smallest, {level} limits that hold for all pairs of "
        f"settings at once; the test turns settings within images, p corrected by Holm over all {tests} of these). "
        + (f"Not finished and left out: {', '.join(found['excluded'])}." if found["excluded"] else "No cell and no scene is left out.")
    ]
    parts.append(" ".join(_range(rows, option, len(settings)) for option, settings in grid.items() if f"{option}/range/f1" in rows))
    parts.append(" ".join([_same(rows, grid, measure) for measure in PRIMARY]))
    trends = [_trend(rows, option) for option in grid if f"{option}/slope/chair_i" in rows]
    if trends:
        parts.append("In one direction? CHAIR_i by Page's test: " + "; ".join(trends) + ".")
    parts.append(_beyond(rows, grid))
    parts.append(_baseline(rows))
    pictures = [
        "![Outcomes over each option](../figures/sensitivity/options.png)",
        "![Outcomes over the amount of smoothing, beside constant rates](../figures/sensitivity/amount.png)",
        "![Every setting in the planes of precision and recall, and of F1 and CHAIR_i](../figures/sensitivity/plane.png)",
    ]
    return "\n\n".join([*(part for part in parts if part), *pictures])


def _range(rows: Rows, option: str, settings: int) -> str:
    said = []
    for measure in PRIMARY:
        row = rows[f"{option}/range/{measure}"]
        where = row["where"]
        ends = f"smallest at {where['lowest']}, largest at {where['highest']}"
        said.append(f"{NAMES[measure]} {_number(row)}, corrected {_p(row['p_adjusted'])} ({ends})")
    return f"**{_plain(option)}** ({settings} settings): {'; '.join(said)}."


def _same(rows: Rows, grid: Mapping[str, list], measure: str) -> str:
    """Which options are the same as their default throughout, by two one-sided tests that must all reject."""
    verdicts, margin = {}, math.nan
    for option, settings in grid.items():
        tests = [rows[f"{option}/{one['value']}/minus the default/{measure}"] for one in settings if one["cell"] != PAPER]
        if tests:
            margin = tests[0]["effect"]["margin"]
            verdicts[option] = (sum(row["effect"]["equivalent"] == 1 for row in tests), len(tests))
    if not verdicts:
        return ""
    each = ", ".join(f"{_plain(option)} {same} of {count}" for option, (same, count) in verdicts.items())
    return f"Settings whose {NAMES[measure]} is the default's within ±{margin:g} (two one-sided tests at 5 %): {each}."


def _trend(rows: Rows, option: str) -> str:
    slope, tau = (rows[f"{option}/{kind}/chair_i"] for kind in ("slope", "tau"))
    return f"{_plain(option)} slope {_number(slope, True)} {slope['unit'].removeprefix('1 ')}, τ {tau['estimate']:+.2f}, {_p(slope['p'])}"


def _beyond(rows: Rows, grid: Mapping[str, list]) -> str:
    """Which settings leave the curve of constant rates, in either primary outcome."""
    said = []
    for option, settings in grid.items():
        for measure in PRIMARY:
            against = [(one["value"], rows.get(f"{option}/{one['value']}/off the curve/{measure}")) for one in settings]
            tested = [(value, row) for value, row in against if row is not None and not math.isnan(row["p_adjusted"])]
            below, above = ([value for value, row in tested if passes(row) and sign * row["estimate"] > 0] for sign in (-1, 1))
            if tested:
                named = [f"{word} at {', '.join(map(str, where))}" for word, where in (("below", below), ("above", above)) if where]
                said.append(f"{_plain(option)}, {NAMES[measure]}: {' and '.join(named) or f'none of {len(tested)}'}")
    if not said:
        return ""
    place = next(one["value"] for one in grid["lambda_ref"] if one["cell"] == PAPER)
    default = rows.get(f"lambda_ref/{place}/off the curve/chair_i")
    own = "" if default is None else f" The default itself: CHAIR_i {_number(default, True)}, corrected {_p(default['p_adjusted'])}."
    return (
        "More than its dose? Settings that leave the curve of constant rates at the same realised mean rate (corrected over the settings "
        f"of the option): {'; '.join(said)}.{own} Leaving it would not show guidance by itself: where the curve is steep, a mixture of "
        "rates is not their mean ([ablation](ablation.md) has the controls of the same rates in another order)."
    )


def _baseline(rows: Rows) -> str:
    """Settings that are better than no smoothing, if any are."""
    better = {"chair_i": [], "f1": []}
    for name, row in rows.items():
        treated, _, rest = name.partition(f" - {BASELINE}/")
        if rest in better and passes(row) and row["estimate"] * (1 if rest == "f1" else -1) > 0:
            better[rest].append(f"`{treated}` ({_number(row, True)}; recall {_number(rows[f'{treated} - {BASELINE}/recall'], True)})")
    said = [f"with a {'lower' if name == 'chair_i' else 'higher'} {NAMES[name]}: {', '.join(better[name]) or 'none'}" for name in PRIMARY]
    differ = f"Settings that differ from no smoothing after correction {'; '.join(said)}."
    return f"{differ} A lower CHAIR_i beside a lower recall is no better sight."


def _plain(option: str) -> str:
    return {"lambda_ref": "`lambda_ref`"}.get(option, OPTIONS[option].replace(" (steps)", "").replace("smoothed ", ""))


def _number(row: Mapping[str, Any], signed: bool = False) -> str:
    low, high = row["interval"]
    digits = 3 if max(abs(row["estimate"]), abs(low), abs(high)) >= 0.01 else 4
    sign = "+" if signed else ""
    ends = "" if math.isnan(low) else f" [{low:{sign}.{digits}f}, {high:{sign}.{digits}f}]"
    return f"{row['estimate']:{sign}.{digits}f}{ends}"


def _p(value: float) -> str:
    return "p not to be had" if math.isnan(value) else "p < 0.001" if value < 0.001 else f"p {value:.3f}"
