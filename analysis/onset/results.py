"""onset.nc -> rows of onset.json: aligned differences, detectors of hallucinated mentions, adjusted odds, time to the first one."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr

from analysis.onset.align import OFFSETS, contributions, difference
from analysis.onset.auroc_row import auroc_row
from analysis.onset.matching import matched_rows
from analysis.onset.names import ADJUSTED, ALIGNED, CONDITIONAL, PRIMARY, SCORES, WINDOWS
from analysis.onset.timing import timing
from analysis.question.arms import ARMS
from analysis.question.families import SIGN_FLIP, with_primaries
from analysis.stats.bootstrap import cluster_bca
from analysis.stats.discrimination import FORMS, discriminate_all
from analysis.stats.multiplicity import adjust, family_size
from analysis.stats.paired import sign_flip
from analysis.stats.regression import Regression, conditional_logit, gee_logistic, natural_spline
from analysis.stats.rows import Row

RESAMPLES = 1999
RESAMPLES_AUROC = 999  # each is a matrix product of all pairs of images
FORMS_OF_LAYERS = ("within", "stratified")


def results(data: xr.Dataset, *, seed: int = 0, level: float = 0.95) -> tuple[list[Row], list[dict[str, Any]]]:
    """Every row, those of PRIMARY first; and the curves of the time to the first hallucinated mention."""
    rows = [row for arm in ARMS for row in _aligned(data, arm, seed, level)]
    rows += [row for arm in ARMS for row in _detectors(data, arm, seed, level)]
    rows += [row for arm in ARMS for row in _adjusted(data, arm, level)]
    rows += [row for arm in ARMS for row in matched_rows(data, arm, seed, level)]
    timed, curves = timing(data, seed=seed, level=level)
    return with_primaries(rows + timed, PRIMARY), curves


def _aligned(data: xr.Dataset, arm: str, seed: int, level: float) -> Iterator[Row]:
    """Hallucinated minus position-matched true mentions: at every offset (max-T over these), over the windows (over the quantities)."""
    names, places = [str(name) for name in data["quantity"].values], [str(place) for place in data["place"].values]
    parts = data["sums"].sel(arm=arm).transpose("part", "image", "quantity", "place").values.astype(float)
    flat = parts.reshape(4, parts.shape[1], -1)
    found = cluster_bca(difference(flat), flat.shape[1], level=level, resamples=RESAMPLES, seed=seed)
    each = contributions(flat).reshape(parts.shape[1:])
    shape = (len(names), len(places))
    tested = [sign_flip(each[:, number, : len(OFFSETS)], seed=seed) for number in range(len(names))]
    windows = [sign_flip(each[:, :, len(OFFSETS) + number], seed=seed) for number in range(len(WINDOWS))]
    estimate, low, high = (np.asarray(values).reshape(shape) for values in (found.estimate, found.low, found.high))
    permuted = data["p_permutation"].sel(arm=arm).transpose("quantity", "place").values
    hits = parts[1].sum(axis=0)
    for number, name in enumerate(names):
        for column, place in enumerate(places):
            wide = column - len(OFFSETS)
            p, corrected = tested[number] if wide < 0 else windows[wide]
            at = column if wide < 0 else number
            size = family_size(corrected)
            yield Row(
                name=f"aligned/{name}/{arm}/{place}",
                estimate=estimate[number, column],
                unit=ALIGNED[name][1],
                n=int(np.isfinite(each[:, number, column]).sum()),
                interval=(low[number, column], high[number, column]),
                test=f"{SIGN_FLIP}: 0",
                p=p[at],
                p_adjusted=corrected[at],
                adjustment=f"max-T over {size} {'offsets' if wide < 0 else 'quantities'}",
                effect={"hallucinated mentions": float(hits[number, column]), "permutation p, max-T": float(permuted[number, column])},
                where={"quantity": name, "contrast": arm, "place": place},
                reason=found.reason[number * len(places) + column],
            )


def _detectors(data: xr.Dataset, arm: str, seed: int, level: float) -> list[Row]:
    """The AUROC triple of each score and of each layer's row entropy; Holm over the scores of one form, and over the layers."""
    own = data["arm_index"].values == ARMS.index(arm)
    score, layered = data["score"].transpose("mention", "score_name").values[own], data["entropy"].values[own]
    scores = {name: score[:, i].astype(float) for i, name in enumerate(SCORES) if np.isfinite(score[:, i]).any()}
    layers = {f"entropy layer {layer}": layered[:, i].astype(float) for i, layer in enumerate(data["layer"].values)}
    absent, image = data["absent"].values[own].astype(bool), data["image_index"].values[own]
    stratum = data["step"].values[own] // int(data.attrs["stratum"])
    rows = []
    for family, told, forms in ((scores, "scores", FORMS), (layers, "layers", FORMS_OF_LAYERS)):
        found = discriminate_all(family, absent, image, stratum, forms=forms, level=level, resamples=RESAMPLES_AUROC, seed=seed)
        for form in forms:
            several = [found[name, form] for name in family]
            adjusted = adjust(np.array([one.p for one in several], dtype=float))
            for name, one, corrected in zip(family, several, adjusted, strict=True):
                own = {
                    "average precision": one.auprc,
                    "average precision low": one.auprc_low,
                    "average precision high": one.auprc_high,
                    "chance": one.chance,
                    "prevalence": one.prevalence,
                }
                where = {"quantity": name, "contrast": arm, "form": form, "known": SCORES[name].known if name in SCORES else "before"}
                rows.append(auroc_row(f"auroc/{form}/{name}/{arm}", one, corrected, f"{family_size(adjusted)} {told}", own, where))
    return rows


def known(name: str) -> str:
    """When a score is known; the entropies of single layers as the score of all."""
    return SCORES[name].known if name in SCORES else SCORES["entropy"].known


def _adjusted(data: xr.Dataset, arm: str, level: float) -> list[Row]:
    """Odds ratio of a hallucinated mention per SD of a score, with position (natural spline) and objects named before held fixed."""
    own = data["arm_index"].values == ARMS.index(arm)
    absent, image = data["absent"].values[own].astype(bool), data["image_index"].values[own]
    held = natural_spline(data["step"].values[own].astype(float), "position", 3) | {
        "named before": data["ordinal"].values[own].astype(float)
    }
    names = [name for name in ADJUSTED if np.isfinite(data["score"].sel(score_name=name).values[own]).any()]
    rows = []
    for kind, fit, chosen in (("gee", gee_logistic, ADJUSTED), ("conditional", conditional_logit, CONDITIONAL)):
        fitted = {}
        for name in (name for name in names if name in chosen):
            score = data["score"].sel(score_name=name).values[own].astype(float)
            fitted[name] = fit(absent, {"score": score, **held}, image, level=level)
        adjusted = adjust(np.array([found.effects["score"].p for found in fitted.values()], dtype=float))
        rows += [_odds(kind, name, arm, found, p, family_size(adjusted)) for (name, found), p in zip(fitted.items(), adjusted, strict=True)]
    return rows


def _odds(kind: str, name: str, arm: str, found: Regression, adjusted: float, size: int) -> Row:
    effect = found.effects["score"]
    ratio, low, high = effect.ratio("sd")
    words = {"gee": "GEE logit, exchangeable, bias-reduced", "conditional": "conditional logit within images"}[kind]
    return Row(
        name=f"odds/{kind}/{name}/{arm}",
        estimate=ratio,
        unit="odds ratio per SD",
        n=found.n_images,
        interval=(low, high),
        test=f"{words}, Wald, two-sided: 1",
        p=effect.p,
        p_adjusted=adjusted,
        adjustment=f"Holm over {size} scores",
        effect={"SD": effect.sd, "mentions": float(found.n_cases), "hallucinated": float(found.n_events)},
        where={"quantity": name, "contrast": arm, "model": kind},
        reason=found.reason,
    )
