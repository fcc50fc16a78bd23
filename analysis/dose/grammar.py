"""Sentences that the grammar of the subject's training captions can write: what a text is that CHAIR does not see."""

from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr
from jaxtyping import Float

from analysis.captions.measures import interval_of
from analysis.stats.exchange import exchange_scores, exchange_test
from analysis.stats.multiplicity import adjust, family_size
from analysis.stats.paired import sign_flip
from analysis.stats.rows import Row

LABEL = "sentences of its grammar"
Written = Float[np.ndarray, "arm image 2"]


def written(captions: Sequence[str], writes: Callable[[str], bool]) -> Float[np.ndarray, "image 2"]:
    """Of each caption, how many sentences the grammar can write, and how many there are."""
    from probes.subjects.emoji.reading import sentences

    found = [sentences(caption) for caption in captions]
    return np.array([[sum(map(writes, one)), len(one)] for one in found], dtype=np.float32)


def grammar_rows(reduced: xr.Dataset, seed: int, level: float) -> list[Row]:
    """Rows "validation/written/<dose>", "test/written/<arm>" and "test/written/<arm> - none"; none where it was not counted."""
    if "written" not in reduced:
        return []
    doses, arms = [f"{dose:g}" for dose in reduced["dose"].values], [str(arm) for arm in reduced["arm"].values]
    curve = reduced["validation_written"].transpose("dose", "scene", "of").values.astype(float)
    test = reduced["written"].transpose("arm", "image", "of").values.astype(float)
    levels = _levels("validation", doses, curve, seed, level) + _levels("test", arms, test, seed, level)
    return levels + (_changes(arms, test, seed, level) if len(arms) > 1 else [])


def _share(total: np.ndarray) -> np.ndarray:
    with np.errstate(divide="ignore", invalid="ignore"):
        return total[..., 0] / total[..., 1]


def _levels(split: str, arms: Sequence[str], counts: Written, seed: int, level: float) -> list[Row]:
    found = interval_of(counts, _share, seed, level)
    return [
        Row(
            name=f"{split}/written/{arm}",
            estimate=found.estimate[i],
            unit="1",
            n=counts.shape[1],
            interval=(found.low[i], found.high[i]),
            role="descriptive",
            where={"split": split, "arm": arm, "measure": "written"},
            reason=found.reason[i],
        )
        for i, arm in enumerate(arms)
    ]


def _changes(arms: Sequence[str], counts: Written, seed: int, level: float) -> list[Row]:
    found = interval_of(counts, lambda total: _share(total)[..., 1:] - _share(total)[..., :1], seed, level)
    scores = [exchange_scores(counts[[i, 0], :, :1], counts[[i, 0], :, 1:])[:, 0] for i in range(1, len(arms))]
    p = sign_flip(np.stack(scores, 1), seed=seed)[0]
    corrected = adjust(p)
    return [
        Row(
            name=f"test/written/{arm} - {arms[0]}",
            estimate=found.estimate[i],
            unit="1",
            n=counts.shape[1],
            interval=(found.low[i], found.high[i]),
            test=exchange_test(counts.shape[1]),
            p=p[i],
            p_adjusted=corrected[i],
            adjustment=f"Holm over {family_size(p)} arms",
            role="exploratory",
            where={"split": "test", "treated": arm, "control": arms[0], "measure": "written"},
            reason=found.reason[i],
        )
        for i, arm in enumerate(arms[1:])
    ]
