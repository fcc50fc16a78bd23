"""Reduced data -> rows of sinks.json: what the detectors agree on, what they predict, Observation 2 with its nulls, sinks found."""

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import xarray as xr
from jaxtyping import Float

from analysis.sinks.names import BASELINES, BOUNDS, KINDS, OBSERVATION, RESAMPLES, WITHOUT_FIRST, lead
from analysis.stats.bootstrap import cluster_bca, mean, ratio
from analysis.stats.paired import compare
from analysis.stats.rows import Row

SIGN_FLIP = "sign-flip permutation over images, two-sided"


def results(data: xr.Dataset, *, seed: int = 0, level: float = 0.95) -> list[Row]:
    """Every row; `seed` and `level` are those that the reduced data were made with."""
    about = json.loads(data.attrs["detectors"])
    found = [*_agreement(data, seed, level), *_prediction(data, about, seed, level)]
    for name, told in (("observed", OBSERVATION), ("observed_without_first", WITHOUT_FIRST)):
        if name in data:  # data of an earlier version have the first alone
            found += _observation(data[name], told, seed, level)
    return [*found, *_prevalence(data, about, seed, level), *_validation(data, about, seed, level)]


def _agreement(data: xr.Dataset, seed: int, level: float) -> Iterator[Row]:
    for measure in ("spearman", "jaccard"):
        values = data[measure].values
        flat = values.reshape(len(values), -1)
        interval = cluster_bca(mean(flat), len(flat), level=level, resamples=RESAMPLES, seed=seed)
        number = 0
        for group in data["group"].values:
            for pair in data["pair"].values:
                one, other = str(pair).split()
                yield Row(
                    name=f"agreement/{group}/{measure}/{one}/{other}",
                    estimate=interval.estimate[number],
                    interval=(interval.low[number], interval.high[number]),
                    unit="rho" if measure == "spearman" else "1",
                    n=int(np.isfinite(flat[:, number]).sum()),
                    role="descriptive",
                    where={"question": "agreement", "group": str(group), "measure": measure, "pair": [one, other]},
                    reason=interval.reason[number].replace("no image has a value", "one of the two is constant in this group"),
                )
                number += 1


def _prediction(data: xr.Dataset, about: dict, seed: int, level: float) -> Iterator[Row]:
    scorers, windows = [str(name) for name in data["scorer"].values], [int(w) for w in data["window"].values]
    used = data["within_pairs"].values
    inside = np.where(used[:, None] > 0, data["within"].values, np.nan)
    images, flat = len(inside), inside.reshape(len(inside), -1)
    weights = np.repeat(used[:, None], len(scorers), axis=1).reshape(images, -1)
    top = np.where(weights > 0, np.nan_to_num(flat) * weights, 0.0)
    interval = cluster_bca(ratio(top, weights), images, level=level, resamples=RESAMPLES, seed=seed)
    half = compare(flat, np.full_like(flat, 0.5), seed=seed)
    # the same pairs, so that what makes an image easy cancels
    position = inside[:, [scorers.index("position")]]
    against = compare(flat, np.broadcast_to(position, inside.shape).reshape(images, -1), seed=seed)
    gap = cluster_bca(mean((inside - position).reshape(images, -1)), images, level=level, resamples=RESAMPLES, seed=seed)
    tested, compared = (f"max-T over {int(np.isfinite(test.p_max_t).sum())} scores and windows" for test in (half, against))
    for number, (name, width) in enumerate((name, width) for name in scorers for width in windows):
        where = {"question": "prediction", "scorer": name, "window": width, "known": lead(name, about)}
        told: dict[str, Any] = {"unit": "AUROC", "n": int(half.n[number]), "where": where}
        yield Row(
            name=f"prediction/within/{name}/w{width}",
            estimate=interval.estimate[number],
            interval=(interval.low[number], interval.high[number]),
            test=f"{SIGN_FLIP}: mean over images is 0.5",
            p=half.p_sign_flip[number],
            p_adjusted=half.p_max_t[number],
            adjustment=tested,
            effect={"d_z": half.d_z[number]},
            reason=interval.reason[number] or half.reason[number],
            **told,
        )
        if name not in BASELINES:
            yield Row(
                name=f"prediction/within minus position/{name}/w{width}",
                estimate=gap.estimate[number],
                interval=(gap.low[number], gap.high[number]),
                test=f"{SIGN_FLIP}: no better than position",
                p=against.p_sign_flip[number],
                p_adjusted=against.p_max_t[number],
                adjustment=compared,
                effect={"d_z": against.d_z[number]},
                reason=gap.reason[number] or against.reason[number],
                **told,
            )
        for kind in ("pooled", "stratified"):
            estimate, *limits = data["auroc"].sel(kind=kind, scorer=name, window=width, bound=list(BOUNDS)).values
            yield _plain(f"prediction/{kind}/{name}/w{width}", estimate, limits, images, where, "AUROC")
    main = int(data.attrs["main_window"])
    for name in scorers:
        estimate, *limits = data["same_token"].sel(scorer=name, bound=list(BOUNDS)).values
        where = {"question": "prediction", "scorer": name, "window": main, "known": lead(name, about)}
        if name == "token":  # within one token, leaving an image out makes its positives' rate lower than its negatives'
            estimate, limits = np.nan, [np.nan, np.nan]
        yield _plain(f"prediction/same token/{name}/w{main}", estimate, limits, images, where, "AUROC")
    for kind in KINDS[::2]:
        for name in scorers:
            estimate, *limits = data["absolute"].sel(kind=kind, scorer=name, bound=list(BOUNDS)).values
            where = {"question": "prediction", "scorer": name, "window": main, "known": lead(name, about), "label": "absolute"}
            yield _plain(f"prediction/{kind}, absolute label/{name}/w{main}", estimate, limits, images, where, "AUROC")
    for label in data["label"].values:
        for width in windows:
            share = float(data["prevalence"].sel(label=label, window=width))
            yield _plain(
                f"prevalence of the label/{label}/w{width}", share, (np.nan, np.nan), images, {"question": "label"}, "share of tokens"
            )


def _plain(name: str, estimate: float, limits: Float[np.ndarray, "2"] | tuple | list, n: int, where: dict, unit: str) -> Row:
    reason = "" if np.isfinite(list(limits)).all() else "no pair, or no variation"
    return Row(name, float(estimate), unit, n, (float(limits[0]), float(limits[1])), role="descriptive", where=where, reason=reason)


def _observation(values: xr.DataArray, told: str, seed: int, level: float) -> Iterator[Row]:
    images, shape = values.sizes["image"], values.shape[1:]
    flat = values.values.reshape(images, -1)
    interval = cluster_bca(mean(flat), images, level=level, resamples=RESAMPLES, seed=seed)
    observed, permuted = (values.sel(variant=name).values.reshape(images, -1) for name in ("observed", "permuted"))
    test = compare(observed, permuted, seed=seed)
    for number, index in enumerate(np.ndindex(*shape)):
        variant, relation, received = (str(values[dim].values[i]) for dim, i in zip(values.dims[1:], index, strict=True))
        own = number % int(np.prod(shape[1:]))
        tested = variant == "observed"
        yield Row(
            name=f"{told}/{received}/{relation}/{variant}",
            estimate=interval.estimate[number],
            interval=(interval.low[number], interval.high[number]),
            unit=relation,
            n=int(np.isfinite(flat[:, number]).sum()),
            test=f"{SIGN_FLIP}: the same as in random order" if tested else "",
            p=test.p_sign_flip[own] if tested else np.nan,
            p_adjusted=test.p_max_t[own] if tested else np.nan,
            adjustment=f"max-T over {int(np.isfinite(test.p_max_t).sum())} relations" if tested else "",
            effect={"d_z": test.d_z[own], "minus permuted": test.mean[own]} if tested else {},
            role="exploratory" if tested else "descriptive",
            where={"question": told, "received": received, "relation": relation, "variant": variant},
            reason=interval.reason[number],
        )


def _prevalence(data: xr.Dataset, about: dict, seed: int, level: float) -> Iterator[Row]:
    values = data["fires"].mean("layer", skipna=True).transpose("image", "detector", "place")
    flat = values.values.reshape(values.sizes["image"], -1).astype(float)
    interval = cluster_bca(mean(flat), len(flat), level=level, resamples=RESAMPLES, seed=seed)
    for number, (i, k) in enumerate(np.ndindex(*values.shape[1:])):
        name, place = str(values["detector"].values[i]), str(values["place"].values[k])
        limits = interval.low[number], interval.high[number]
        where = {"question": "prevalence", "detector": name, "place": place, "known": lead(name, about)}
        yield Row(
            f"prevalence/{name}/{place}",
            interval.estimate[number],
            "share of tokens, heads and layers",
            int(np.isfinite(flat[:, number]).sum()),
            limits,
            role="descriptive",
            where=where,
            reason=interval.reason[number],
        )


def _validation(data: xr.Dataset, about: dict, seed: int, level: float) -> Iterator[Row]:
    counts = data["counts"].sum("layer")
    images = counts.sizes["image"]
    both = counts.sel(count="both").values
    for measure, other in (("precision", "fires"), ("recall", "sink")):
        whole = both + counts.sel(count=other).values
        interval = cluster_bca(ratio(both, whole), images, level=level, resamples=RESAMPLES, seed=seed)
        for number, name in enumerate(str(detector) for detector in counts["detector"].values):
            none = "it never fires" if measure == "precision" else "no token receives as much"
            yield Row(
                f"received attention above {data.attrs['eps']:g}/{measure}/{name}",
                interval.estimate[number],
                "share of tokens",
                images,
                (interval.low[number], interval.high[number]),
                effect={"tokens": float(whole[:, number].sum())},
                role="descriptive",
                where={"question": "validation", "detector": name, "measure": measure, "known": lead(name, about)},
                reason=interval.reason[number].replace("no image has a value", none),
            )
