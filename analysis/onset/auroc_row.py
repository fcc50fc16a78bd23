"""A row of the results for one score's AUROC, tested against chance."""

from collections.abc import Mapping

from analysis.stats.discrimination import Discrimination
from analysis.stats.rows import Row


def auroc_row(name: str, one: Discrimination, corrected: float, over: str, effect: Mapping[str, float], where: Mapping[str, str]) -> Row:
    """The row.

    Parameters
    ----------
    corrected : its p, corrected by Holm
    over : over what
    effect : what is told beside how many mentions were hallucinated and true
    """
    return Row(
        name=name,
        estimate=one.auroc,
        unit="AUROC",
        n=one.n_images,
        interval=(one.low, one.high),
        test="clustered DeLong, two-sided: 0.5",
        p=one.p,
        p_adjusted=corrected,
        adjustment=f"Holm over {over}",
        effect={**effect, "hallucinated": float(one.n_positive), "true": float(one.n_negative)},
        where=where,
        reason=one.reason,
    )
