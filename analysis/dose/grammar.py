"""Sentences that the grammar of the subject's training captions can write: what a text is that CHAIR does not see."""

from collections.abc import Callable, Sequence

import numpy as np
import xarray as xr
from jaxtyping import Float

from analysis.captions.measures import interval_of
from analysis.captions.rows import change_rows, exchange_p, level_rows, of_split
from analysis.stats.exchange import exchange_test
from analysis.stats.multiplicity import adjust, family_size
from analysis.stats.rows import Row

LABEL = "sentences of its grammar"
UNITS = {"written": "1"}
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
    return level_rows(interval_of(counts, _share, seed, level), arms, UNITS, counts.shape[1], of_split(split))


def _changes(arms: Sequence[str], counts: Written, seed: int, level: float) -> list[Row]:
    found = interval_of(counts, lambda total: _share(total)[..., 1:] - _share(total)[..., :1], seed, level)
    p = exchange_p(counts[..., :1], counts[..., 1:], seed)[:, 0]
    corrected, test = adjust(p), exchange_test(counts.shape[1])
    about = {"test": test, "adjustment": f"Holm over {family_size(p)} arms", "role": "exploratory"}
    return change_rows(found, arms, UNITS, counts.shape[1], of_split("test"), lambda i, _: {"p": p[i], "p_adjusted": corrected[i], **about})
