"""Recording -> one number a step for each aligned quantity, and the scores of each mention."""

import numpy as np
import pandas
import xarray as xr
from jaxtyping import Bool, Float, Int

from analysis.drift.quantities import dilution
from analysis.onset.names import ALIGNED, SCORES

VARIABLES = (
    "row_entropy",
    "n_keys",
    "mass",
    "group_keys",
    "drift_step",
    "drift_image",
    "drift_prompt",
    "rate",
    "log_probability",
    "dependency_jsd",
    "patch_cosine",
    "received",
    "caption",
    "piece_predicted",
    "token_predicted",
    "n_steps",
)
"""What is read of the recordings."""

DIMS = ("arm", "image", "step", "layer")


def series(recording: xr.Dataset, in_band: Bool[np.ndarray, " layer"]) -> dict[str, Float[np.ndarray, "arm image step"]]:
    """Every aligned quantity that was recorded, mean over heads and the smoothed layers; step 0, which is the prompt's, is NaN."""
    layered = by_layer(recording)
    made: dict[str, np.ndarray] = {
        name: banded(layered[name], in_band) for name in ("entropy", "excess", "drift_step", "drift_image", "rate") if name in layered
    }
    for name, variable, sign in (("jsd", "dependency_jsd", 1), ("nll", "log_probability", -1)):
        if variable in recording:
            made[name] = sign * recording[variable].transpose(*DIMS[:3]).values
    made = {name: np.where(recording["step"].values >= 1, made[name], np.nan) for name in ALIGNED if name in made}
    return {name: values for name, values in made.items() if np.isfinite(values).any()}


def by_layer(recording: xr.Dataset) -> dict[str, Float[np.ndarray, "arm image step layer"]]:
    """What is read by layer: heads are averaged, sink channels left out where both readings were recorded."""
    made = {}
    if "row_entropy" in recording:
        made["entropy"] = recording["row_entropy"].mean("head").transpose(*DIMS).values
    if "mass" in recording:
        mass = recording["mass"].sel(group="image").mean("head").transpose(*DIMS).values
        null = dilution(recording).transpose(*DIMS).values
        with np.errstate(invalid="ignore", divide="ignore"):
            made |= {"mass": mass, "excess": np.log(np.where((mass > 0) & (null > 0), mass / null, np.nan))}
    for name in ("drift_step", "drift_image", "drift_prompt", "rate", "patch_cosine", "received"):
        if name in recording:
            values = recording[name].sel(channels="masked") if "channels" in recording[name].dims else recording[name]
            made[name] = values.transpose(*DIMS).values
    return made


def scores(
    recording: xr.Dataset, mentions: pandas.DataFrame, in_band: Bool[np.ndarray, " layer"]
) -> tuple[Float[np.ndarray, "mention score"], Float[np.ndarray, "mention layer"]]:
    """Scores of each mention in the order of SCORES, times their signs; and the row entropy of each layer. NaN where not recorded.

    Parameters
    ----------
    mentions : with the columns arm_index, image_index, step and last_step
    """
    layered = by_layer(recording)
    arm, image, step = (mentions[name].values for name in ("arm_index", "image_index", "step"))
    depth, last = len(in_band), len(recording["step"]) - 1
    here = {name: values[arm, image, step] for name, values in layered.items()}  # "mention layer"
    middle = np.zeros(depth, dtype=bool)
    middle[int(np.ceil(5 / 32 * depth)) : int(18 / 32 * depth) + 1] = True
    found = {name: banded(here[name], in_band) for name in SCORES if name in here}
    if "mass" in here:
        found["svar"] = here["mass"][:, middle].sum(axis=-1)
    if "patch_cosine" in here:
        found["cosine"] = here["patch_cosine"][:, depth // 2]
        word = mentions["last_step"].values + 1  # the step at which the word's last sub-token is fed
        after = layered["patch_cosine"][arm, image, np.minimum(word, last), depth // 2]
        found["cosine_word"] = np.where(word <= last, after, np.nan)
    for name, variable, sign in (("jsd", "dependency_jsd", 1), ("nll", "log_probability", -1)):
        if variable in recording:
            found[name] = sign * recording[variable].transpose(*DIMS[:3]).values[arm, image, step]
    found["position"] = step.astype(float)
    empty = np.full(len(mentions), np.nan)
    made = np.stack([SCORES[name].sign * found.get(name, empty) for name in SCORES], axis=-1)
    return made, here.get("entropy", np.full((len(mentions), depth), np.nan))


def banded(values: Float[np.ndarray, "*rest layer"], in_band: Bool[np.ndarray, " layer"]) -> Float[np.ndarray, "*rest"]:
    """Mean over the smoothed layers; NaN where one of them has none."""
    return values[..., in_band].mean(axis=-1)


def first_mentions(table: pandas.DataFrame, recording: xr.Dataset, used: Int[np.ndarray, " image"]) -> pandas.DataFrame:
    """First mentions of each object in a caption, with the places of arm and image, `absent`, and `ordinal`: objects named before.

    Parameters
    ----------
    table : as `analysis.captions.mentions.mention_table` makes it
    used : places of the images that take part
    """
    arms = {str(name): i for i, name in enumerate(recording["arm"].values)}
    images = {int(name): i for i, name in enumerate(recording["image"].values)}
    found = table[table["repeated"] == 1].copy()
    found["arm_index"] = found["arm"].map(arms).astype(int)
    found["image_index"] = found["image"].map(images).astype(int)
    found = found[found["image_index"].isin(used)].sort_values(["arm_index", "image_index", "step"], kind="stable")
    found["absent"] = ~found["present"].astype(bool)
    found["ordinal"] = found.groupby(["arm_index", "image_index"]).cumcount()
    return found.reset_index(drop=True)
