"""KVSmooth's published rows beside what omission could reach from measured captions of the same model: what they say if they are true.

Another run's baseline differs by its images and its prompt, so that a row is taken as a change from its own baseline: CHAIR_s by its ratio,
F1 by its difference, both applied to the measured greedy captions of that model, all repositories together.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.optimize import brentq

from analysis.benchmark.published import published
from analysis.omission.line import COUNTS, MEASURES, measures
from analysis.published.family import BOUND

CHAIR_S, F1 = MEASURES.index("chair_s"), MEASURES.index("f1")
BASELINE = "baseline"


def published_rows(model: str) -> dict[str, tuple[float, float]]:
    """By method, the published CHAIR_s and F1 of this model, fractions; nothing of a model that is in no published table."""
    found: dict[str, dict[str, float]] = {}
    for one in published("chair", model):
        found.setdefault(one.method, {})[one.measure] = one.value
    return {method: (told["chair_s"], told["f1"]) for method, told in found.items()}


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
    for model in dict.fromkeys(model_of[one["log"]] for one in baselines):
        rows, own = published_rows(model), [one for one in baselines if model_of[one["log"]] == model]
        sums = summed(lines, model_of, model)
        base = measures(next(iter(sums.values()))[-1])
        for method, (chair_s, f1) in rows.items():
            if method == BASELINE:
                continue
            before = rows[BASELINE]
            target = {"chair_s": float(base[CHAIR_S]) * chair_s / before[0], "f1": float(base[F1]) + f1 - before[1]}
            told: dict[str, Any] = {"model": model, "method": method, "published": [chair_s, f1], "published_baseline": list(before)}
            told |= {
                "measured_baseline": [float(base[CHAIR_S]), float(base[F1])],
                "captions": sum(one["captions"] for one in own),
                **target,
            }
            found.append(told | (_beside(sums, own, **target) if chair_s < before[0] else {}))
    return found


def _beside(sums: Mapping[str, np.ndarray], baselines: Sequence[Mapping[str, Any]], chair_s: float, f1: float) -> dict[str, Any]:
    reached = {name: f1_at(measures(total), chair_s) for name, total in sums.items()}
    blind = {name: value for name, value in reached.items() if value is not None and name != " ".join(BOUND)}
    told = {"line_f1": reached, "demand": demand(baselines, chair_s, f1)}
    if not blind:
        return told
    best = max(blind, key=blind.__getitem__)
    return told | {"best_line": best, "best_line_trade": trade(sums[best], chair_s)}


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
