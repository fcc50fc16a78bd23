"""Results of the simulations as a table of a page, and as the lines that a command says."""

from collections.abc import Sequence

from analysis.stats.calibration.simulation import Found

_WORDS = {
    "level": "rejects a true null",
    "conservative": "rejects a true null",
    "coverage": "holds the truth",
    "fails": "wrong",
    "power": "finds the effect",
}


def table(found: Sequence[Found], seed: int) -> str:
    """Markdown: one row a claim, with the share found, the error of the simulation, and the band that is allowed."""
    missed = sum(not one.holds for one in found)
    lines = [
        f"{len(found)} claims, seed {seed}; brackets: Wilson's 95 % limits of the simulated share. A claim holds where the share lies in "
        f"its band give or take the simulation's error (99 %): {len(found) - missed} hold, {missed} do not. Methods in *italics* are not "
        "used; they stand here to show why.",
        "",
        "| statistic | what | share | wanted | samples | samples of |",
        "|---|---|---|---|---|---|",
    ]
    for one in found:
        low, high = one.limits()
        name = f"*{one.claim.statistic}*" if one.claim.kind == "fails" else one.claim.statistic
        share = f"{_percent(one.share)} ({_percent(low)} to {_percent(high)})"
        cells = (name, _WORDS[one.claim.kind], share if one.holds else f"**{share}**", _band(one), str(one.replications), one.design)
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def outside(found: Sequence[Found]) -> str:
    """One line a claim that does not hold, or one that says all do."""
    missed = [one for one in found if not one.holds]
    if not missed:
        return f"All {len(found)} claims hold."
    told = [f"{one.claim.statistic}: {_WORDS[one.claim.kind]} in {_percent(one.share)}, wanted {_band(one)}" for one in missed]
    return "\n".join([f"{len(missed)} of {len(found)} claims do not hold:", *told])


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _band(one: Found) -> str:
    low, high = one.claim.allowed
    if high == 1:
        return f"{100 * low:g} % or more"
    return f"{100 * high:g} % at most" if low == 0 else f"{100 * low:g} to {100 * high:g} %"
