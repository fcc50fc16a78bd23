"""Finished cells -> rows: each measure of each cell, and paired differences with intervals, tests and corrections.

Primary outcomes, named in advance: hallucinated mentions per mention (CHAIR_i) and captions with a hallucination (CHAIR_s). The rest is
exploratory; what the smoothing sets by itself (rates, changes of keys and values) is described only.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float

from analysis.ablation.dose import dose_blocks
from analysis.captions.equal_lengths import equal_lengths
from analysis.cells.arms import Arms, BootstrapBlock, Pair, Values, bootstrapped, pairs
from analysis.cells.measures import MEASURES, TESTED
from analysis.stats.bootstrap import Interval, cluster_bca, ratio
from analysis.stats.equivalence import Equivalence, equivalence
from analysis.stats.exchange import exchange_scores, exchange_test
from analysis.stats.mcnemar import mcnemar
from analysis.stats.multiplicity import adjust, family_size
from analysis.stats.paired import sign_flip
from analysis.stats.rows import Row

PRIMARY = ("chair_i", "chair_s")
MARGIN = 0.02
MATCHED = {"chair_i_matched": "1", "chair_s_matched": "1"}
_ORDER = list(MEASURES)


def results(arms: Arms, *, level: float = 0.95, seed: int = 0, margin: float = MARGIN) -> list[Row]:
    """All rows. `margin` is the difference of F1 that does not matter, named in advance."""
    compared = pairs(arms)
    blocks = [levels(arms), *([contrasts(arms, compared, margin, seed)] if compared else []), *dose_blocks(arms, seed)]
    rows = bootstrapped(arms, blocks, level=level, seed=seed)
    return rows + (length_matched(arms, compared, level, seed) if compared else [])


def levels(arms: Arms) -> BootstrapBlock:
    """Each measure of each cell."""

    def rows(interval: Interval) -> list[Row]:
        places = [(cell, family, measure) for cell, family in zip(arms.names, arms.families, strict=True) for measure in MEASURES]
        return [
            Row(
                name=f"{cell}/{measure}",
                estimate=interval.estimate[i],
                unit=MEASURES[measure].unit,
                n=arms.images,
                interval=(interval.low[i], interval.high[i]),
                role="descriptive",
                where={"family": family, "cell": cell, "measure": measure},
                reason=interval.reason[i],
            )
            for i, (cell, family, measure) in enumerate(places)
        ]

    return BootstrapBlock(lambda values: values.reshape(*values.shape[:-2], -1), rows)


def contrasts(arms: Arms, compared: Sequence[Pair], margin: float, seed: int, primary: Sequence[str] = PRIMARY) -> BootstrapBlock:
    """Each tested measure of each pair of cells; CHAIR is corrected by max-T over the pairs of a family, the others by Holm.

    `primary` names the measures whose rows are primary outcomes.
    """
    tested = [_ORDER.index(name) for name in TESTED]

    def of(values: Values) -> Float[np.ndarray, "*draw quantity"]:
        change = np.stack([_change(arms, values, pair)[..., tested] for pair in compared], axis=-2)
        return change.reshape(*change.shape[:-2], -1)

    def rows(interval: Interval) -> list[Row]:
        scores = np.stack([pair_scores(arms, pair)[:, tested] for pair in compared], axis=1)
        p, corrected, told = _corrected(scores, compared, TESTED, seed)
        same = f1_equivalence(arms, compared, margin, seed)
        found = []
        for i, pair in enumerate(compared):
            for j, measure in enumerate(TESTED):
                at = i * len(TESTED) + j
                more = _mcnemar(arms, pair) if measure == "chair_s" else _tost(same, i, margin) if measure == "f1" else {}
                found.append(
                    Row(
                        name=f"{pair.name}/{measure}",
                        estimate=interval.estimate[at],
                        unit=MEASURES[measure].unit,
                        n=arms.images,
                        interval=(interval.low[at], interval.high[at]),
                        test=exchange_test(arms.images),
                        p=p[i, j],
                        p_adjusted=corrected[i, j],
                        adjustment=told[i][j],
                        effect=more,
                        role="primary" if measure in primary else "exploratory",
                        where={"family": pair.family, "treated": pair.treated, "control": pair.control, "measure": measure},
                        reason=interval.reason[at],
                    )
                )
        return found

    return BootstrapBlock(of, rows)


def length_matched(arms: Arms, compared: Sequence[Pair], level: float, seed: int) -> list[Row]:
    """CHAIR_i over the mentions, and CHAIR_s within the words, that both captions of an image have."""
    cut = [equal_lengths(arms.spoken(pair.treated).said, arms.spoken(pair.control).said) for pair in compared]
    change = np.stack([np.stack([one.absent - other.absent, one.within - other.within], -1) for _, one, other in cut], axis=1)
    below = np.stack([np.stack([mentions, np.ones_like(mentions)], -1) for mentions, _, _ in cut], axis=1)
    flat = [part.reshape(arms.images, -1) for part in (change, below)]
    interval = cluster_bca(ratio(*flat), arms.images, level=level, seed=seed)
    p, corrected, told = _corrected(change, compared, tuple(MATCHED), seed)
    found = []
    for i, pair in enumerate(compared):
        for j, (measure, unit) in enumerate(MATCHED.items()):
            at = i * len(MATCHED) + j
            found.append(
                Row(
                    name=f"{pair.name}/{measure}",
                    estimate=interval.estimate[at],
                    unit=unit,
                    n=arms.images,
                    interval=(interval.low[at], interval.high[at]),
                    test=exchange_test(arms.images),
                    p=p[i, j],
                    p_adjusted=corrected[i, j],
                    adjustment=told[i][j],
                    effect={"mentions": float(cut[i][0].sum())} if measure == "chair_i_matched" else {},
                    where={"family": pair.family, "treated": pair.treated, "control": pair.control, "measure": measure},
                    reason=interval.reason[at],
                )
            )
    return found


def pair_scores(arms: Arms, pair: Pair) -> Float[np.ndarray, "image measure"]:
    """`exchange_scores` of a pair of cells, treated less control."""
    both = [arms.index(pair.treated), arms.index(pair.control)]
    return exchange_scores(arms.above[both], arms.below[both])


def f1_equivalence(arms: Arms, compared: Sequence[Pair], margin: float, seed: int) -> Equivalence:
    """Two one-sided tests of F1 for every pair."""
    f1 = _ORDER.index("f1")

    def statistic(drawn):
        values = arms.values(drawn)
        return np.stack([_change(arms, values, pair)[..., f1] for pair in compared])

    return equivalence(statistic, arms.images, margin, seed=seed)


def _corrected(scores: Float[np.ndarray, "image pair measure"], compared: Sequence[Pair], names: Sequence[str], seed: int):
    """p, corrected p and the correction's name: max-T over the family for CHAIR_i and CHAIR_s, else Holm over it."""
    p, corrected = (np.full(scores.shape[1:], np.nan) for _ in range(2))
    told = [["" for _ in names] for _ in compared]
    families = [pair.family for pair in compared]
    for family in dict.fromkeys(families):
        members = [i for i, name in enumerate(families) if name == family]
        for j, measure in enumerate(names):
            p[members, j], by_max = sign_flip(scores[:, members, j], seed=seed)
            chair = measure in PRIMARY
            corrected[members, j] = by_max if chair else adjust(p[members, j], "holm")
            method = f"{'max-T' if chair else 'Holm'} over {family_size(p[members, j])} cells of {family}"
            for i in members:
                told[i][j] = method
    return p, corrected, told


def _change(arms: Arms, values: Values, pair: Pair) -> Float[np.ndarray, "*draw measure"]:
    return values[..., arms.index(pair.treated), :] - values[..., arms.index(pair.control), :]


def _mcnemar(arms: Arms, pair: Pair) -> dict[str, float]:
    chair_s = _ORDER.index("chair_s")
    treated, control = (arms.above[arms.index(name), :, chair_s] > 0 for name in (pair.treated, pair.control))
    found = mcnemar(treated, control)
    return {
        "only_treated": float(found.only_treated),
        "only_control": float(found.only_control),
        "newcombe_low": found.low,
        "newcombe_high": found.high,
        "p_mcnemar": found.p,
    }


def _tost(same: Equivalence, i: int, margin: float) -> dict[str, float]:
    return {
        "margin": margin,
        "low_90": same.low[i],
        "high_90": same.high[i],
        "p_tost": same.p[i],
        "equivalent": float(same.equivalent[i]),
        "p_not_inferior": same.p_not_inferior[i],
        "not_inferior": float(same.not_inferior[i]),
    }
