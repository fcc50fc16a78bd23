"""Rounds in which every other arm runs once, in an order that rotates, each set against the plain decoding before and after it."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import bootstrap
from scipy.stats import t as student

from analysis.efficiency.arms import ARMS, CLOCKS, CONTROL, PARTS, Case, timed

Seconds = Mapping[str, Mapping[str, float]]
"""By part and clock."""
Round = Mapping[str, Mapping[str, Seconds]]
"""By arm, of itself ("own") and of plain decoding beside it ("beside"): the mean of the run before and the run after."""
RESAMPLES = 9999


def rounds(cases: Mapping[str, Case], number: int, ended: Callable[[], object], turned: int = 0) -> list[Round]:
    """So many rounds, after one run of every arm that warms it up and is not counted.

    The speed of a machine wanders within seconds: plain decoding runs between any two arms, and each is set against both neighbours.

    Parameters
    ----------
    ended : called after the warming up and after each round
    turned : by how many arms the order of the first round is turned
    """
    others = [name for name in cases if name != CONTROL]
    for name, case in cases.items():
        timed(name, case)
    ended()
    found: list[Round] = []
    for index in range(number):
        turn = (turned + index) % max(1, len(others))
        plain = [timed(CONTROL, cases[CONTROL])]
        one = {}
        for name in others[turn:] + others[:turn]:
            own = timed(name, cases[name])
            plain.append(timed(CONTROL, cases[CONTROL]))
            one[name] = {"own": own, "beside": _mean(plain[-2:])}
        of_round = _mean(plain)
        found.append({name: one.get(name, {"own": of_round, "beside": of_round}) for name in cases})
        ended()
    return found


def _mean(runs: Sequence[Seconds]) -> Seconds:
    return {part: {clock: statistics.fmean(run[part][clock] for run in runs) for clock in CLOCKS} for part in PARTS}


def ratios(
    found: Sequence[Round], part: str, clock: str, level: float = 0.95, seed: int = 0, processes: int = 1, control: str = CONTROL
) -> dict[str, dict[str, float]]:
    """By arm its time / that of plain decoding beside it, and an interval; with another `control`, that ratio / the control's of the round.

    Of one process: the median over rounds, and the percentile interval of scipy's bootstrap, which draws rounds anew, whole, arms together.
    Of several: the mean of their medians, and Student's t interval over processes. Where the weights lie in memory is a process's own, and
    its rounds share it.

    Parameters
    ----------
    found : the rounds, as many of each process, those of one after those of another
    """
    table = {}
    for name in found[0]:
        values = np.array([_over_plain(one[name], part, clock) / _over_plain(one[control], part, clock) for one in found])
        values = values.reshape(processes, -1)
        medians = np.median(values, 1)
        ratio = float(medians.mean())
        low, high = float(values.min()), float(values.max())
        if low < high and processes == 1:
            options = {"n_resamples": RESAMPLES, "method": "percentile", "confidence_level": level, "rng": np.random.default_rng(seed)}
            low, high = map(float, bootstrap((values[0],), np.median, **options).confidence_interval)
        elif processes > 1:
            reach = float(student.ppf((1 + level) / 2, processes - 1) * medians.std(ddof=1) / processes**0.5)
            low, high = ratio - reach, ratio + reach
        table[name] = {"ratio": ratio, "low": low, "high": high}
    return table


def _over_plain(arm: Mapping[str, Seconds], part: str, clock: str) -> float:
    return arm["own"][part][clock] / arm["beside"][part][clock]


def summary(found: Sequence[Round], level: float = 0.95, seed: int = 0, processes: int = 1) -> dict[str, Any]:
    """Ratios of processor time, those of both clocks with intervals, medians of seconds, and every round as it was."""
    spread = {part: {clock: ratios(found, part, clock, level, seed, processes) for clock in CLOCKS} for part in PARTS}
    medians = {
        name: {part: {clock: statistics.median(one[name]["own"][part][clock] for one in found) for clock in CLOCKS} for part in PARTS}
        for name in found[0]
    }
    return {
        "ratios": {name: row["ratio"] for name, row in spread["whole"]["processor"].items()},
        "ratios_decode": {name: row["ratio"] for name, row in spread["decode"]["processor"].items()},
        "spread": spread,
        "medians": medians,
        "rounds": list(found),
        "n": len(found) // processes,
        "processes": processes,
    }


GOALS = {"kvsmooth": 1.03, "kvsmooth_fast": 1.01, "recording": 1.12}
"""What an arm may cost at most, upper end of the interval of the whole call's processor time."""


def goals(spread: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Of each goal, what was measured and whether its upper end stays below."""
    found = spread["whole"]["processor"]
    return {
        name: {"goal": goal, "upper": found[name]["high"], "met": found[name]["high"] <= goal}
        for name, goal in GOALS.items()
        if name in found
    }


def run_in(results: Mapping[str, Any]) -> str:
    """How many rounds there were, and of how many processes."""
    several = results["processes"] > 1
    return f"{results['n']} rounds in each of {results['processes']} processes" if several else f"{results['n']} rounds of one process"


def estimated(results: Mapping[str, Any]) -> str:
    """What the numbers of `ratios` are."""
    if results["processes"] > 1:
        return "mean over processes of the median over rounds [interval over processes]"
    return "median [interval over rounds]"


def lines(results: Mapping[str, Any]) -> list[str]:
    """The results as aligned text."""
    told = [f"{'arm':<20}" + "".join(f"{f'{part}, {clock}':>24}" for part in PARTS for clock in CLOCKS) + f"{'extra peak MB':>16}"]
    for name in results["ratios"]:
        cells = (results["spread"][part][clock][name] for part in PARTS for clock in CLOCKS)
        text = "".join(f"{cell['ratio']:.3f} [{cell['low']:.3f}, {cell['high']:.3f}]".rjust(24) for cell in cells)
        extra = results["peak_extra_bytes"].get(name)
        told.append(f"{name:<20}{text}{'' if extra is None else f'{extra / 1e6:.1f}':>16}")
    for name, goal in results["goals"].items():
        told.append(
            f"{name}: at most {goal['goal']:g} is the goal, the upper end is {goal['upper']:.3f}: {'met' if goal['met'] else 'not met'}"
        )
    return told


def chosen(names: Sequence[str]) -> list[str]:
    """The arms asked for, plain decoding always among them; all of `ARMS` where none is named. Methods of others come last."""
    return [*(name for name in ARMS if not names or name in names or name == CONTROL), *(name for name in names if name not in ARMS)]
