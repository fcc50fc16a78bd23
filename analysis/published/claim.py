"""KVSmooth's published rows beside what omission could reach from measured captions of the same model: what they say if they are true.

Another run's baseline differs by its images and its prompt, so that a row is taken as a change from its own baseline: CHAIR_s by its ratio,
F1 by its difference, both applied to the measured greedy captions of that model, all repositories together.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq

from analysis.omission.line import COUNTS, MEASURES, measures
from analysis.published.family import BOUND

SOURCE = "KVSmooth, arXiv 2602.04268, table of CHAIR at 512 tokens"
CHAIR_S, F1 = MEASURES.index("chair_s"), MEASURES.index("f1")


@dataclass(frozen=True)
class Published:
    """A row of a published table; fractions."""

    model: str
    method: str
    chair_s: float
    f1: float


ROWS = tuple(
    Published(model, method, round(chair_s / 100, 4), round(f1 / 100, 4))
    for model, rows in {
        "LLaVA-1.5-7B": (
            ("baseline", 41.8, 77.5),
            ("VCD", 56.0, 71.1),
            ("OPERA", 44.2, 78.6),
            ("PAI", 22.6, 75.5),
            ("MiddleLayer", 17.8, 75.9),
            ("KVSmooth", 18.2, 79.2),
        ),
        "MiniGPT-4-7B": (
            ("baseline", 31.8, 69.9),
            ("OPERA", 27.4, 69.4),
            ("PAI", 24.6, 71.0),
            ("MiddleLayer", 24.6, 71.2),
            ("KVSmooth", 17.0, 71.7),
        ),
        "InstructBLIP-7B": (
            ("baseline", 61.4, 71.6),
            ("OPERA", 68.0, 69.2),
            ("PAI", 63.4, 71.1),
            ("MiddleLayer", 75.0, 67.2),
            ("KVSmooth", 42.2, 75.1),
        ),
    }.items()
    for method, chair_s, f1 in rows
)
"""All from the table of `SOURCE`, whose authors ran every method themselves."""


def pooled(lines: Sequence[Mapping[str, Any]], model_of: Mapping[str, str], model: str) -> dict[str, np.ndarray]:
    """By rule and unit, the measures at every share of all baselines of a model together, "share measure"."""
    return {name: measures(total) for name, total in summed(lines, model_of, model).items()}


def summed(lines: Sequence[Mapping[str, Any]], model_of: Mapping[str, str], model: str) -> dict[str, np.ndarray]:
    """By rule and unit, the sums at every share over the captions of all baselines of a model, "share count"."""
    sums: dict[str, np.ndarray] = {}
    for line in lines:
        if model_of[line["baseline"]] == model:
            name = f"{line['rule']} {line['unit']}"
            sums[name] = sums.get(name, 0) + np.array(line["sums"])
    return sums


def claims(lines: Sequence[Mapping[str, Any]], baselines: Sequence[Mapping[str, Any]], model_of: Mapping[str, str]) -> list[dict[str, Any]]:
    """Every published row that lowers CHAIR_s, against the lines of its model and in objects that must go; fractions.

    Each has the measured baseline, the row as a change of it (`chair_s`, `f1`), by line the F1 that it reaches at that CHAIR_s, what is
    demanded, absent objects that go a caption and true ones that may go with them (below 0: that must come), and what the best line that
    knows no mention drops to come there.
    """
    found = []
    for row in ROWS:
        own = [one for one in baselines if one and model_of[one["log"]] == row.model]
        before = next(one for one in ROWS if one.model == row.model and one.method == "baseline")
        sums = summed(lines, model_of, row.model)
        curves = {name: measures(total) for name, total in sums.items()}
        if not own or row.method == "baseline":
            continue
        base = next(iter(curves.values()))[-1]
        target = {"chair_s": float(base[CHAIR_S]) * row.chair_s / before.chair_s, "f1": float(base[F1]) + row.f1 - before.f1}
        told = {
            "model": row.model,
            "method": row.method,
            "published": [row.chair_s, row.f1],
            "published_baseline": [before.chair_s, before.f1],
        }
        told |= {"measured_baseline": [float(base[CHAIR_S]), float(base[F1])], "captions": sum(one["captions"] for one in own), **target}
        if row.chair_s < before.chair_s:
            reached = {name: f1_at(curve, target["chair_s"]) for name, curve in curves.items()}
            told |= {"line_f1": reached, "demand": demand(own, target["chair_s"], target["f1"])}
            blind = {name: value for name, value in reached.items() if value is not None and name != " ".join(BOUND)}
            if blind:
                best = max(blind, key=blind.__getitem__)
                told |= {"best_line": best, "best_line_trade": trade(sums[best], target["chair_s"])}
        found.append(told)
    return found


def f1_at(curve: np.ndarray, chair_s: float) -> float | None:
    """F1 where a line has this CHAIR_s, interpolated; the largest, where it has it over a stretch; None below its lowest point."""
    s, f1 = curve[:, CHAIR_S], curve[:, F1]
    if not s.min() <= chair_s <= s.max():
        return None
    found = [
        f1[i] + (f1[i + 1] - f1[i]) * ((chair_s - s[i]) / (s[i + 1] - s[i]) if s[i + 1] != s[i] else 1.0)
        for i in range(len(s) - 1)
        if min(s[i], s[i + 1]) <= chair_s <= max(s[i], s[i + 1])
    ]
    return float(max(found))


def trade(sums: np.ndarray, chair_s: float) -> dict[str, float]:
    """Absent and true objects that a line has dropped a caption, where it has come down to this CHAIR_s: interpolated, from all "
    "downwards."""
    count = {name: sums[:, COUNTS.index(name)] for name in COUNTS}
    s = count["hallucinating"] / count["captions"]
    above = next(i for i in range(len(s) - 1, 0, -1) if s[i - 1] <= chair_s)
    part = (chair_s - s[above - 1]) / (s[above] - s[above - 1]) if s[above] != s[above - 1] else 1.0
    true, absent = count["recalled"], count["objects"] - count["recalled"]
    gone = [(one[-1] - one[above - 1] - part * (one[above] - one[above - 1])) / count["captions"][-1] for one in (absent, true)]
    return {"absent_gone": float(gone[0]), "true_gone": float(gone[1])}


def demand(baselines: Sequence[Mapping[str, Any]], chair_s: float, f1: float) -> dict[str, float]:
    """What must go, a caption, to come from these captions to a CHAIR_s and an F1, if absent objects go at random among the absent ones.

    Of a caption with k absent objects one is left with probability 1 - (1 - s)^k: s follows from CHAIR_s. F1 = 2 t / (o + T) with t true
    objects, o = t + absent ones named, T objects of the images: t follows from F1.
    """
    captions, true, absent, truth = (sum(one[name] for one in baselines) for name in ("captions", "true", "absent", "truth"))
    width = max(len(one["captions_by_absent"]) for one in baselines)
    held = sum(np.pad(np.array(one["captions_by_absent"], dtype=float), (0, width - len(one["captions_by_absent"]))) for one in baselines)
    kept = brentq(lambda s: float(held @ (1 - (1 - s) ** np.arange(width))) / captions - chair_s, 0.0, 1.0)
    left = f1 * (kept * absent + truth) / (2 - f1)
    gone, lost = (absent * (1 - kept)) / captions, (true - left) / captions
    return {
        "absent_named": absent / captions,
        "true_named": true / captions,
        "absent_kept_share": float(kept),
        "absent_gone": gone,
        "true_gone": lost,
        "absent_gone_per_true_gone": gone / lost if lost > 0 else float("inf"),
    }
