"""Scores of mentions compared within the same sentence of the caption, the same object word, or both: what position alone leaves open.

Late sentences hold more hallucinated mentions and less attention on the image, and so do objects that are small, rare or guessed: a pair of
mentions of one stratum shares these.
"""

import re
from collections.abc import Iterator

import numpy as np
import pandas
import xarray as xr
from jaxtyping import Int

from analysis.onset.auroc_row import auroc_row
from analysis.onset.names import MATCHED, SCORES, STRATA
from analysis.question.arms import ARMS
from analysis.stats.discrimination import Discrimination, discriminate_all
from analysis.stats.multiplicity import adjust, family_size
from analysis.stats.rows import Row

END = re.compile(r"[.!?]+(?=\s|$)")
RESAMPLES = 999


def sentence_numbers(recording: xr.Dataset, mentions: pandas.DataFrame) -> Int[np.ndarray, " mention"]:
    """In which sentence of its caption each mention stands, from 0.

    Parameters
    ----------
    mentions : with the columns arm_index, image_index and start (a character of the caption)
    """
    captions = recording["caption"].transpose("arm", "image").values
    ends: dict[tuple[int, int], np.ndarray] = {}
    found = []
    for arm, image, start in mentions[["arm_index", "image_index", "start"]].itertuples(index=False):
        if (arm, image) not in ends:
            ends[arm, image] = np.array([end.end() for end in END.finditer(str(captions[arm, image]))])
        found.append(int((ends[arm, image] <= start).sum()))
    return np.array(found, dtype=np.int32)


def matched_rows(data: xr.Dataset, arm: str, seed: int, level: float) -> Iterator[Row]:
    """The AUROC of each of `MATCHED` within each of `STRATA`; Holm over all of them. None for reduced data that lack the strata."""
    if "sentence" not in data:
        return
    own = data["arm_index"].values == ARMS.index(arm)
    absent, image = data["absent"].values[own].astype(bool), data["image_index"].values[own]
    values = data["score"].transpose("mention", "score_name").values[own].astype(float)
    columns = {name: values[:, list(SCORES).index(name)] for name in MATCHED}
    columns = {name: column for name, column in columns.items() if np.isfinite(column).any()}
    found: dict[tuple[str, str], Discrimination] = {}
    for stratum, parts in STRATA.items():
        each = np.stack([data[part].values[own] for part in parts], axis=1)
        number = np.unique(each, axis=0, return_inverse=True)[1].reshape(-1)
        several = discriminate_all(columns, absent, image, number, forms=("stratified",), level=level, resamples=RESAMPLES, seed=seed)
        found |= {(stratum, name): several[name, "stratified"] for name in columns}
    adjusted = adjust(np.array([one.p for one in found.values()], dtype=float))
    for ((stratum, name), one), corrected in zip(found.items(), adjusted, strict=True):
        where = {"quantity": name, "contrast": arm, "form": stratum, "known": SCORES[name].known}
        over, pairs = f"{family_size(adjusted)} scores and strata", {"pairs": float(one.n_pairs)}
        yield auroc_row(f"matched/{stratum}/{name}/{arm}", one, corrected, over, pairs, where)
