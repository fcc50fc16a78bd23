"""Reduced data -> rows of sinks.json, each named "anatomy/...": ranks of head outputs, outliers among patches, secondary sinks."""

import json
from collections.abc import Iterator, Mapping, Sequence

import numpy as np
import xarray as xr
from jaxtyping import Float

from analysis.sinks.anatomy.names import HEADS, MEASURES, PLACES, VERSIONS
from analysis.sinks.names import RESAMPLES
from analysis.stats.bootstrap import cluster_bca, mean, ratio
from analysis.stats.paired import compare
from analysis.stats.rows import Row

SIGN_FLIP = "sign-flip permutation over images, two-sided"
Columns = Mapping[str, Float[np.ndarray, " image"]]


def results(data: xr.Dataset, *, seed: int = 0, level: float = 0.95) -> list[Row]:
    """Every row; `seed` and `level` are those that the reduced data were made with."""
    made = _Rows(seed, level)
    return [*_ranks(data, made), *_tower(data, made), *_secondary(data, made)]


class _Rows:
    """Makes rows of columns over images."""

    def __init__(self, seed: int, level: float):
        self.seed, self.level = seed, level

    def plain(self, part: str, unit: str, columns: Columns) -> Iterator[Row]:
        """Means over images, not tested."""
        values = np.stack([np.asarray(column, dtype=float) for column in columns.values()], axis=1)
        found = cluster_bca(mean(values), len(values), level=self.level, resamples=RESAMPLES, seed=self.seed)
        for number, name in enumerate(columns):
            yield Row(
                name=f"anatomy/{part}/{name}",
                estimate=found.estimate[number],
                interval=(found.low[number], found.high[number]),
                unit=unit,
                n=int(np.isfinite(values[:, number]).sum()),
                role="descriptive",
                where={"question": "anatomy", "part": part},
                reason=found.reason[number],
            )

    def tested(self, part: str, units: Sequence[str], columns: Columns) -> Iterator[Row]:
        """Means over images, tested against zero, corrected over these columns."""
        values = np.stack(list(columns.values()), axis=1)
        test = compare(values, np.zeros_like(values), seed=self.seed)
        family = int(np.isfinite(test.p_max_t).sum())
        for number, (row, unit) in enumerate(zip(self.plain(part, "", columns), units, strict=True)):
            yield Row(
                name=row.name,
                estimate=row.estimate,
                interval=row.interval,
                unit=unit,
                n=row.n,
                test=f"{SIGN_FLIP}: zero",
                p=test.p_sign_flip[number],
                p_adjusted=test.p_max_t[number],
                adjustment=f"max-T over {family} of this part" if family else "",
                effect={"d_z": test.d_z[number]},
                where=row.where,
                reason=row.reason or test.reason[number],
            )


def _ranks(data: xr.Dataset, made: _Rows) -> Iterator[Row]:
    yield from made.plain(
        "heads", "share", {"lean on one token": data["leaning"].values, "of these, on the first": data["on_first"].values}
    )
    for heads in HEADS:
        own = data.sel(heads=heads)
        yield from made.plain(f"near rank one/{heads}", "share of heads", {"stable": own["near_one"].values})
        yield from made.plain(f"energy along its value/{heads}", "share", {"observed": own["energy"].values})
        yield from made.plain(f"norm of its value/{heads}", "of the median", {"observed": own["value_norm"].values})
    each = [(measure, version) for measure in MEASURES for version in VERSIONS]
    by_heads = {heads: {f"{m}/{v}": data["rank_of"].sel(heads=heads, measure=m, version=v).values for m, v in each} for heads in HEADS}
    for heads in HEADS:
        yield from made.plain(f"rank/{heads}", "rank", by_heads[heads])
    gaps = {name: by_heads["sink"][name] - by_heads["other"][name] for name in by_heads["sink"]}
    yield from made.tested("rank/sink minus other", ["rank"] * len(gaps), gaps)
    relations = {f"{m}/{v}": data["rank_relation"].sel(measure=m, version=v).values for m, v in each}
    yield from made.tested("rank/relation with share", ["rho"] * len(relations), relations)


def _tower(data: xr.Dataset, made: _Rows) -> Iterator[Row]:
    about = json.loads(data.attrs["anatomy"])
    if not data.sizes["tower"]:
        return
    for name, unit in (("tower_z", "robust SD"), ("tower_ratio", "of the median"), ("tower_outliers", "patches")):
        by_layer = {f"layer {i}": data[name].values[:, i] for i in data["tower"].values}
        yield from made.plain(name.replace("_", "/"), unit, by_layer)
    if about["read"] < 0:
        return
    some = (data["tower_outliers"].sel(tower=about["read"]) > 0).values.astype(float)
    yield from made.plain("tower", "share of images", {"with outliers": some})
    yield from made.plain("tower", "rho", {"norm and contrast": data["norm_contrast"].values})
    outlier, other = (data["seen_on"].sel(patches=name).values for name in ("outlier", "other"))
    columns = {"outliers over others": np.log(outlier / other)}
    columns |= {f"norm, given {given}": data["norm_relation"].sel(given=given).values for given in ("nothing", "contrast")}
    yield from made.tested("tower/attention", ["ln", "rho", "rho"], columns)


def _secondary(data: xr.Dataset, made: _Rows) -> Iterator[Row]:
    yield from made.plain("secondary", "tokens a caption", {place: data["secondary"].sel(region=place).values for place in PLACES})
    born, number = data["born"].values, data["secondary"].sum("region").values[:, None]
    layers = np.arange(born.shape[1])
    found = cluster_bca(
        ratio((born * layers).sum(1, keepdims=True), number), len(born), level=made.level, resamples=RESAMPLES, seed=made.seed
    )
    yield Row(
        name="anatomy/secondary/birth",
        estimate=found.estimate[0],
        interval=(found.low[0], found.high[0]),
        unit="layer",
        n=int((number > 0).sum()),
        role="descriptive",
        where={"question": "anatomy", "part": "secondary"},
        reason=found.reason[0],
    )
    first = data["first_alive"].values
    birth = np.where(first.any(1), first.argmax(1), np.nan)
    yield from made.plain("first token", "layer", {"birth": birth})
    yield from made.plain("first token", "layers", {"as a sink": first.sum(1)})
    lived, chance = data["lifetime"].values, data["lifetime_by_chance"].values
    yield from made.plain("secondary", "layers", {"lifetime": lived, "lifetime by chance": chance})
    yield from made.tested("secondary", ["layers"], {"lifetime beyond chance": lived - chance})
