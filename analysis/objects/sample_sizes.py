"""The numbers of images and objects behind the results about sets of objects."""

from typing import Any

import numpy as np
import xarray as xr


def sample_sizes(reduced: xr.Dataset) -> dict[str, Any]:
    """Images, objects, and by set the images that have one and the objects in all of them."""
    of = {str(name): reduced["members"].sel(set=name).values for name in reduced["set"].values if not str(name).endswith(" unsaid")}
    told = {}
    if "steps_used" in reduced:  # of images that are in the tests
        used = {str(regime): reduced["steps_used"].sel(regime=regime).values for regime in reduced["regime"].values}
        told["median_steps"] = {regime: float(np.median(n[n > 0])) if (n > 0).any() else 0.0 for regime, n in used.items()}
    return told | {
        "images": reduced.sizes["image"],
        "objects": int(reduced.attrs["objects_used"]),
        "images_with": {name: int((values > 0).sum()) for name, values in of.items()},
        "objects_of": {name: int(values.sum()) for name, values in of.items()},
    }
