"""What a language model that never saw the image thinks of both arms' free captions: NLL, and which are broken."""

from typing import Any

import xarray as xr

from analysis.captions.rows import told
from analysis.language.paired import fluency_rows
from analysis.language.reading import first_captions
from analysis.question.arms import ARMS
from analysis.stats.rows import Row


def caption_fluency(captions: xr.DataArray, most: int, seed: int) -> xr.Dataset:
    """Variables `nll`, "arm image", and `nll_shuffled`, "image", of captions "arm image"; NaN of those not there or not read."""
    from analysis.language.models import PACKAGED, language_model

    texts = {arm: ["" if text is None else str(text) for text in captions.sel(arm=arm).values] for arm in ARMS}
    found = first_captions(language_model(PACKAGED), texts, most, seed)
    both = captions.sel(arm=list(ARMS)).notnull().all("arm")  # an image of which an arm has no caption takes no part
    return xr.Dataset(found, {"arm": list(ARMS), "image": captions["image"].values}).where(both)


def free_rows(reduced: xr.Dataset, *, seed: int = 0, level: float = 0.95) -> list[Row]:
    """Rows of NLL and broken captions beside those of CHAIR, and named as they are; corrected by themselves, as fewer captions are read."""
    read = reduced[["nll", "nll_shuffled"]].assign(test=reduced["caption_counts"]).sel(arm=list(ARMS))

    def named(measure: str, arm: str, control: str | None = None) -> tuple[str, dict[str, Any]]:
        contrast = told(arm, control)
        return f"free/{measure}/{contrast}", {"regime": "free", "quantity": measure, "contrast": contrast}

    return fluency_rows(read, list(ARMS), seed, level, named, ARMS[0])
