"""The free captions of the two arms compared over images: CHAIR, length and repetition.

Counts are kept by image, so that ratios of sums (the field's estimators) can be resampled and exchanged image by image.
"""

from collections.abc import Mapping

import numpy as np
import xarray as xr
from jaxtyping import Float

from analysis.metrics.chair import COUNTS, ChairRecord, ground_truth, ratios, score_caption
from analysis.metrics.text_quality import TEXT_RATIOS
from analysis.question.arms import CONTRAST, CONTROL, TREATED
from analysis.stats.bootstrap import Statistic, cluster_bca, difference, multiplicity_of_images
from analysis.stats.multiplicity import family_size
from analysis.stats.rows import Row
from analysis.stats.swap import swap_test

ALL_COUNTS = (*COUNTS, "at_risk")
# measure -> unit
MEASURES = {
    "chair_s": "1",
    "chair_i": "1",
    "recall": "1",
    "precision": "1",
    "f1": "1",
    "length": "words",
    "mentions": "1",
    "hazard": "1",
    **dict.fromkeys(TEXT_RATIOS, "1"),
}
TEST = "permutation that exchanges the arms within images, two-sided"


def caption_counts(captions: xr.DataArray, annotations: Mapping) -> xr.DataArray:
    """Counts "arm image count" of captions "arm image" against annotations in COCO's instances format; NaN where there is no caption."""
    truth = ground_truth(annotations)
    captions = captions.transpose("arm", "image")
    counts = np.full((*captions.shape, len(ALL_COUNTS)), np.nan)
    for i, texts in enumerate(captions.values):
        for j, (image, text) in enumerate(zip(captions["image"].values, texts, strict=True)):
            if text is not None and int(image) in truth:
                counts[i, j] = counts_of(score_caption(str(text), truth[int(image)]))
    return xr.DataArray(
        counts, dims=("arm", "image", "count"), coords={"arm": captions["arm"], "image": captions["image"], "count": list(ALL_COUNTS)}
    )


def caption_rows(counts: xr.DataArray, *, seed: int = 0, level: float = 0.95) -> list[Row]:
    """Each measure in each arm, and its paired difference with a cluster interval and the exchange test, corrected over the measures."""
    arms = {arm: counts.sel(arm=arm).transpose("image", "count").values.astype(float) for arm in (TREATED, CONTROL)}
    present = {arm: np.isfinite(values).all(axis=1) for arm, values in arms.items()}
    both = present[TREATED] & present[CONTROL]
    rows = []
    for arm, values in arms.items():
        own = values[present[arm]]
        rows += _rows(arm, _statistic(own), len(own), None, seed, level)
    treated, control = arms[TREATED][both], arms[CONTROL][both]
    p = swap_test(treated, control, measures, seed=seed) if both.any() else None
    return rows + _rows(CONTRAST, difference(_statistic(treated), _statistic(control)), int(both.sum()), p, seed, level)


def measures(total: Float[np.ndarray, "*draw count"]) -> Float[np.ndarray, " measure *draw"]:
    """The measures from summed counts, in the order of MEASURES.

    hazard: captions with a hallucination over mentions up to and including the first one, the discrete-time hazard of the first
    hallucination per mention.
    """
    found = ratios(total[..., : len(COUNTS)])
    column = dict(zip(ALL_COUNTS, np.moveaxis(total, -1, 0), strict=True))
    with np.errstate(divide="ignore", invalid="ignore"):
        found["hazard"] = column["hallucinating"] / column["at_risk"]
    return np.stack([np.asarray(found[name], dtype=float) for name in MEASURES])


def counts_of(record: ChairRecord) -> tuple[int, ...]:
    """A caption's contribution to each of ALL_COUNTS."""
    absent = [mention.hallucinated for mention in record.mentions]
    at_risk = absent.index(True) + 1 if any(absent) else len(absent)
    return (*record.counts, at_risk)


def _statistic(counts: Float[np.ndarray, "image count"]) -> Statistic:
    return lambda drawn: measures(multiplicity_of_images(drawn, len(counts)) @ counts)


def _rows(contrast: str, statistic: Statistic, images: int, p: np.ndarray | None, seed: int, level: float) -> list[Row]:
    interval = cluster_bca(statistic, images, level=level, seed=seed)
    tests = 0 if p is None else family_size(p)
    return [
        Row(
            name=f"free/{name}/{contrast}",
            estimate=interval.estimate[i],
            unit=unit,
            n=images,
            interval=(interval.low[i], interval.high[i]),
            test="" if p is None else TEST,
            p=np.nan if p is None else p[i],
            p_adjusted=np.nan if p is None else min(tests * p[i], 1.0),
            adjustment=f"Bonferroni over {tests} measures of captions" if tests else "",
            role="descriptive" if p is None else "exploratory",
            where={"regime": "free", "quantity": name, "contrast": contrast},
            reason="no image has a caption" if images == 0 else interval.reason[i],
        )
        for i, (name, unit) in enumerate(MEASURES.items())
    ]
