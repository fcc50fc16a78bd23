"""Reduced data -> rows of logits.json: the slope of every outcome and set, by arm and between arms, over images.

Sign flips over images; max-T corrects over all slopes of one unit, regime and contrast, the primary outcomes by Holm among
themselves.
"""

from collections.abc import Iterator

import numpy as np
import xarray as xr
from jaxtyping import Float

from analysis.objects.names import CONTRAST_OF_CLASSES, OUTCOMES, PRIMARY, SETS, VOCABULARY
from analysis.question.arms import ARMS, CONTRAST, CONTROL, TREATED
from analysis.question.families import FamilyColumns, rows_of, with_primaries
from analysis.stats.rows import Row


def results(data: xr.Dataset, *, seed: int = 0, level: float = 0.95) -> list[Row]:
    """Every row; the primary ones first."""
    families = [family for regime in data["regime"].values for family in _families(data.sel(regime=regime), str(regime))]
    return with_primaries(rows_of(families, seed=seed, level=level), ["/".join(key) for key in PRIMARY])


def _families(data: xr.Dataset, regime: str) -> Iterator[FamilyColumns]:
    arms = {arm: dict(_slopes(data, arm)) for arm in ARMS}
    labels = list(arms[CONTROL])
    for contrast in (*ARMS, CONTRAST):
        columns = [arms[TREATED][label] - arms[CONTROL][label] if contrast == CONTRAST else arms[contrast][label] for label in labels]
        where = [{"regime": regime, "outcome": outcome, "set": which, "contrast": contrast} for outcome, which in labels]
        for unit in dict.fromkeys(OUTCOMES.values()):
            chosen = [i for i, (outcome, _) in enumerate(labels) if OUTCOMES[outcome] == unit]
            yield FamilyColumns(
                names=["/".join([regime, *labels[i], contrast]) for i in chosen],
                top=np.stack([columns[i] for i in chosen], axis=1),
                unit=f"{unit} per 100 tokens",
                where=[where[i] for i in chosen],
                family=f"slopes in {unit}",
                effect=[_location(columns[i]) for i in chosen],
            )


def _slopes(data: xr.Dataset, arm: str) -> Iterator[tuple[tuple[str, str], Float[np.ndarray, " image"]]]:
    """Slopes of one arm by outcome and set; the contrast of two sets is within the image."""
    for outcome in OUTCOMES:
        slope = data["slope"].sel(arm=arm, outcome=outcome)
        by_set = {which: slope.sel(set=which).values.astype(float) for which in SETS}
        for which, values in by_set.items():
            if (outcome, which) != ("relative", "other"):  # their mean is what the outcome is relative to
                yield (outcome, which), values
        for contrast in CONTRAST_OF_CLASSES:
            one, other = contrast.split(" - ")
            yield (outcome, contrast), by_set[one] - by_set[other]
    yield ("logit", VOCABULARY), data["vocabulary_slope"].sel(arm=arm).values.astype(float)


def _location(values: Float[np.ndarray, " image"]) -> dict[str, float]:
    known = values[np.isfinite(values)]
    return {"median": float(np.median(known))} if len(known) else {}
