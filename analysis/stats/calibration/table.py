"""The results of the simulations as a table for the docs, and as printed lines."""

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
    """Markdown: a line for each design and a row for each claim on its samples, with the share found and the band that is allowed."""
    missed = sum(not one.holds for one in found)
    lines = [
        f"{len(found)} claims, seed {seed}. In brackets Wilson's 95 % limits of the simulated share. A claim holds where the share lies in "
        f"its band, give or take the simulation's own error (99 %): {len(found) - missed} hold, {missed} do not (in bold). Methods in "
        "*italics* are not used; they stand here to show why.",
        "",
        "| statistic | what | share, % | wanted, % |",
        "|---|---|---|---|",
    ]
    design = ""
    for one in found:
        if one.design != design:
            design = one.design
            lines.append(f"| **{one.replications} samples of {design}** | | | |")
        name = f"*{one.claim.statistic}*" if one.claim.kind == "fails" else one.claim.statistic
        low, high = one.limits()
        share = f"{100 * one.share:.1f} ({100 * low:.1f} to {100 * high:.1f})"
        cells = (name, _WORDS[one.claim.kind], share if one.holds else f"**{share}**", _band(one))
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def outside(found: Sequence[Found]) -> str:
    """One line a claim that does not hold, or one that says all do."""
    missed = [one for one in found if not one.holds]
    if not missed:
        return f"All {len(found)} claims hold."
    told = [
        f"{one.claim.statistic}: {_WORDS[one.claim.kind]} in {100 * one.share:.1f} %, wanted {_band(one)} %; {one.design}" for one in missed
    ]
    return "\n".join([f"{len(missed)} of {len(found)} claims do not hold:", *told])


def _band(one: Found) -> str:
    low, high = one.claim.allowed
    if high == 1:
        return f"{100 * low:g} or more"
    return f"{100 * high:g} at most" if low == 0 else f"{100 * low:g} to {100 * high:g}"
