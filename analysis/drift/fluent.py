"""What a language model that never saw the image thinks of both arms' free captions: NLL, and which are broken."""

from dataclasses import replace

import numpy as np
import xarray as xr

from analysis.language.paired import fluency_rows
from analysis.language.reading import first_captions
from analysis.question.arms import ARMS
from analysis.stats.rows import Row


def caption_fluency(captions: xr.DataArray, most: int, seed: int) -> xr.Dataset:
    """Variables `nll`, "arm image", and `nll_shuffled`, "image", of captions "arm image"; NaN of those not there or not read."""
    from analysis.language.models import PACKAGED, language_model

    texts = {arm: ["" if text is None else str(text) for text in captions.sel(arm=arm).values] for arm in ARMS}
    found = first_captions(language_model(PACKAGED), texts, most, seed)
    return xr.Dataset(found, {"arm": list(ARMS), "image": captions["image"].values})


def free_rows(reduced: xr.Dataset, *, seed: int = 0, level: float = 0.95) -> list[Row]:
    """Rows of NLL and broken captions beside those of CHAIR, and named as they are; p uncorrected, as theirs."""
    plain = ARMS[0]
    read = reduced[["nll", "nll_shuffled"]].assign(test=reduced["caption_counts"]).sel(arm=list(ARMS))
    rows = []
    for row in fluency_rows(read, list(ARMS), seed, level):
        _, name, contrast = row.name.replace("none, words", f"{plain}, words").split("/")
        where = {"regime": "free", "quantity": name, "contrast": contrast}
        rows.append(replace(row, name=f"free/{name}/{contrast}", where=where, p_adjusted=np.nan, adjustment=""))
    return rows
