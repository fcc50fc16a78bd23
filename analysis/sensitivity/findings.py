"""Writes the question's verdict and paragraphs on the findings page; every number is read from the results."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

from analysis.ablation.panels import Rows, passes
from analysis.cells.names import BASELINE, PAPER
from analysis.question.question import by_name
from analysis.sensitivity.names import DEFAULT_MARGIN, DEFAULT_WINDOW, OPTIONS, PRIMARY
from analysis.telling.wording import NO_P, bracketed, chance, listed, p_value, page, signed

NAMES = {"chair_i": "CHAIR_i", "f1": "F1"}


def verdict(found: Mapping[str, Any]) -> str:
    """One sentence: which options move hallucination, and whether a setting is better than no smoothing; by corrected tests."""
    rows = by_name(found["results"])
    options = [option for option in OPTIONS if f"{option}/range/chair_i" in rows]
    moving = [option for option in options if passes(rows[f"{option}/range/chair_i"])]
    ordered = sorted(moving, key=lambda option: -rows[f"{option}/range/chair_i"]["estimate"])
    still = [option for option in options if option not in moving]
    said = [f"CHAIR_i depends on {_listed(ordered)}" if ordered else "CHAIR_i depends on no option for certain"]
    if ordered and still:
        said.append(f"but not for certain on {_listed(still)}")
    fewer = _better(rows)["chair_i"]
    free = [name for name in fewer if not (passes(rows[_recall(name)]) and rows[_recall(name)]["estimate"] < 0)]
    if not fewer:
        end = "no setting has a lower CHAIR_i than no smoothing"
    elif not free:
        end = "every setting with a lower CHAIR_i than no smoothing also names fewer of the objects that are there"
    else:
        end = f"{len(free)} of {len(fewer)} settings with a lower CHAIR_i than no smoothing lose no recall for certain"
    return f"{', '.join(said)}; {end}."


def paragraph(found: Mapping[str, Any]) -> str:
    """What the results say: how far each option moves the primary outcomes, in which direction, and beyond its dose or not."""
    rows, told = by_name(found["results"]), found["provenance"]
    config = told["config"]
    grid: dict[str, list[dict[str, Any]]] = {}
    for one in found["settings"]:
        grid.setdefault(one["option"], []).append(one)
    tests = sum(row["role"] == "primary" for row in rows.values())
    asked = (
        f"{told['n']} scenes, {len(found['cells'])} ways of smoothing, one option changed at a time round `lambda_ref` "
        f"{config['lambda_ref']:g}, margin {DEFAULT_MARGIN:g}, window {DEFAULT_WINDOW} and the paper's band. Named in advance: how far "
        "CHAIR_i and F1 move over the settings of each option, largest minus smallest. "
        + (f"Not finished and left out: {', '.join(found['excluded'])}." if found["excluded"] else "No cell and no scene is left out.")
    )
    same = [_same(rows, grid, measure) for measure in PRIMARY]
    trends = [_trend(rows, option) for option in grid if f"{option}/slope/chair_i" in rows]
    note = (
        f"Brackets: {100 * config['level']:g} % limits over images; those of the table hold for all pairs of settings at once. p of the "
        f"table: settings turned within images, Holm over all {tests} ranges. Figures: `figures/emoji/sensitivity/`."
    )
    pictures = [
        "![Outcomes over each option](../figures/emoji/sensitivity/options.png)",
        "![Outcomes over the amount of smoothing, beside constant rates](../figures/emoji/sensitivity/amount.png)",
        "![Every setting in the planes of precision and recall, and of F1 and CHAIR_i](../figures/emoji/sensitivity/plane.png)",
    ]
    return page(
        verdict(found),
        asked,
        _ranges(rows, grid),
        _baseline(rows),
        "*As the default?* " + " ".join(same) if any(same) else "",
        "*In one direction?* CHAIR_i by Page's test: " + "; ".join(trends) + "." if trends else "",
        _beyond(rows, grid),
        note,
        *pictures,
    )


def _ranges(rows: Rows, grid: Mapping[str, list]) -> str:
    """Markdown: the ranges of the primary outcomes, a line an option and outcome."""
    lines = ["| option | outcome | largest minus smallest | smallest at | largest at | corrected p |", "|---|---|---|---|---|---|"]
    for option, settings in grid.items():
        for measure in PRIMARY:
            row = rows.get(f"{option}/range/{measure}")
            if row is not None:
                where, p = row["where"], p_value(row["p_adjusted"], NO_P)
                told = f"{_plain(option)} ({len(settings)} settings) | {NAMES[measure]} | {bracketed(row)}"
                lines.append(f"| {told} | {where['lowest']} | {where['highest']} | {p} |")
    return "\n".join(lines)


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
    about = f"slope {bracketed(slope)} {slope['unit'].removeprefix('1 ')}, τ {signed(tau['estimate'])}, {chance(slope['p'])}"
    return f"{_plain(option)} {about}"


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
    own = "" if default is None else f" The default itself: CHAIR_i {bracketed(default)}, corrected {chance(default['p_adjusted'])}."
    return (
        "*More than its dose?* Settings that leave the curve of constant rates at the same realised mean rate (corrected over the settings "
        f"of the option): {'; '.join(said)}.{own} Leaving it would not show guidance by itself: where the curve is steep, a mixture of "
        "rates is not their mean ([ablation](ablation.md) has the controls of the same rates in another order)."
    )


def _better(rows: Rows) -> dict[str, list[str]]:
    """By primary outcome, the cells that the corrected test calls better than no smoothing."""
    better: dict[str, list[str]] = {name: [] for name in PRIMARY}
    for name, row in rows.items():
        treated, _, rest = name.partition(f" - {BASELINE}/")
        if rest in better and passes(row) and row["estimate"] * (1 if rest == "f1" else -1) > 0:
            better[rest].append(treated)
    return better


def _recall(cell: str) -> str:
    return f"{cell} - {BASELINE}/recall"


def _baseline(rows: Rows) -> str:
    """Settings that are better than no smoothing, if any are."""
    said = []
    for measure, cells in _better(rows).items():
        each = [
            f"`{cell}` ({bracketed(rows[f'{cell} - {BASELINE}/{measure}'])}; recall {bracketed(rows[_recall(cell)])})" for cell in cells
        ]
        said.append(f"with a {'lower' if measure == 'chair_i' else 'higher'} {NAMES[measure]}: {', '.join(each) or 'none'}")
    return f"*Better than no smoothing?* Settings that differ after correction {'; '.join(said)}."


def _listed(options: Sequence[str]) -> str:
    return listed([_plain(option) if option == "lambda_ref" else f"the {_plain(option)}" for option in options])


def _plain(option: str) -> str:
    return {"lambda_ref": "`lambda_ref`"}.get(option, OPTIONS[option].replace(" (steps)", "").replace("smoothed ", ""))
