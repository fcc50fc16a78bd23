"""entropy.nc -> rows of entropy.json. Named in advance: names.PRIMARY, Holm; all else is exploratory, max-T within its family."""

import numpy as np
import xarray as xr

from analysis.entropy.classes import contrast
from analysis.entropy.names import CONTRASTS, MEASURES, PRIMARY
from analysis.entropy.random_walk import best_rate, slopes
from analysis.question.arms import ARMS, CONTRAST, CONTROL, TREATED
from analysis.question.families import FamilyColumns, rows_of, with_primaries
from analysis.stats.bootstrap import Statistic, cluster_bca, ratio
from analysis.stats.rows import Row


def results(data: xr.Dataset, *, seed: int = 0, level: float = 0.95) -> list[Row]:
    """Every row; families share their drawn images."""
    families = [*_classes(data), *_heads(data), *_distances(data)]
    if "displacement" in data:
        families += [family for regime in data["regime"].values for family in _walk(data.sel(regime=regime), str(regime))]
    rows = rows_of(families, seed=seed, level=level)
    if "displacement" in data:
        rows += [row for regime in data["regime"].values for row in _rates(data.sel(regime=regime), str(regime), seed, level)]
    return with_primaries(rows, PRIMARY)


def _classes(data: xr.Dataset) -> list[FamilyColumns]:
    """Means of each class (described), contrasts in each arm and their difference between the arms (tested over band and layers)."""
    places = [str(place) for place in data["place"].values]
    made = []
    for measure, unit in MEASURES.items():
        for arm in ARMS:
            for name in data["class"].values:
                values = data["class_mean"].sel({"measure": measure, "class": name, "arm": arm}).transpose("image", "place").values
                if measure != "centred":
                    made.append(_family(f"means/{measure}/{name}/{arm}", values, places, unit, arm, role="descriptive"))
        for name in contrasts(measure):
            both = contrast(data, measure, name)
            for arm, values in (*zip(ARMS, both, strict=True), (CONTRAST, both[1] - both[0])):
                made.append(_family(f"classes/{measure}/{name}/{arm}", values, places, unit, arm))
    return made


def contrasts(measure: str) -> list[str]:
    """Those that a reading can show: the first tokens stand always at the same steps, so that nothing is left of them once centred."""
    return [name for name in CONTRASTS if measure != "centred" or "first" not in CONTRASTS[name][0]]


def _heads(data: xr.Dataset) -> list[FamilyColumns]:
    cells = [f"layer {layer}/head {head}" for layer in data["layer"].values for head in data["head"].values]
    about = [{"layer": int(layer), "head": int(head)} for layer in data["layer"].values for head in data["head"].values]
    made = []
    for name, unit in (("head_mean", "1"), ("head_contrast", "nat")):
        values = data[name].transpose("arm", "image", "layer", "head").values.astype(float)
        flat = values.reshape(*values.shape[:2], -1)
        several = [(arm, flat[number]) for number, arm in enumerate(ARMS)] + [(CONTRAST, flat[1] - flat[0])]
        for arm, own in several:
            described = name == "head_mean" and arm != CONTRAST
            kind = "heads/share" if name == "head_mean" else "heads/centred/punctuation - words"
            names = [f"{kind}/{arm}/{cell}" for cell in cells]
            where = [{"quantity": kind, "contrast": arm, **place} for place in about]
            made.append(
                FamilyColumns(names, own, unit, where, role="descriptive" if described else "exploratory", family="layers and heads")
            )
    return made


def _distances(data: xr.Dataset) -> list[FamilyColumns]:
    places = [str(place) for place in data["place"].values]
    made = []
    for reference in data["reference"].values:
        for kind in ("plain", "partial"):
            both = data["rho"].sel(reference=reference, kind=kind).transpose("arm", "image", "place").values.astype(float)
            for number, arm in enumerate(ARMS):
                shift = () if kind == "plain" else _shifts(data.sel(reference=reference, arm=arm))
                made.append(_family(f"distance/{reference}/{kind}/{arm}", both[number], places, "rho", arm, effect=shift))
            made.append(_family(f"distance/{reference}/{kind}/{CONTRAST}", both[1] - both[0], places, "rho", CONTRAST))
        names = [str(name) for name in data["class"].values]
        for arm in ARMS:
            values = data["rho_class"].sel(reference=reference, arm=arm).transpose("image", "class").values.astype(float)
            kind = f"distance/{reference}/partial within class"
            where = [{"quantity": kind, "contrast": arm, "class": name, "layer": "band"} for name in names]
            made.append(FamilyColumns([f"{kind}/{arm}/{name}" for name in names], values, "rho", where, family="classes"))
    return made


def _shifts(data: xr.Dataset) -> tuple[dict[str, float], ...]:
    """By place, what random turns of the entropies give: their mean and central 95 %, and the p of what was seen."""
    parts = {name: data[f"shift_{name}"].values for name in ("mean", "low", "high", "p")}
    return tuple({f"circular shift {name}": float(values[i]) for name, values in parts.items()} for i in range(data.sizes["place"]))


def _walk(data: xr.Dataset, regime: str) -> list[FamilyColumns]:
    """Variance ratios, autocorrelations of increments, and slopes of ln MSD on ln lag; against a walk."""
    places, lags = [str(place) for place in data["place"].values], data["lag"].values.astype(float)
    made = []
    for arm in (name for name in ARMS if name in data["arm"].values):
        part = {
            name: data[name].sel(arm=arm).transpose("image", "place", "lag").values.astype(float)
            for name in ("displacement", "increment", "product", "increment_product")
        }
        for number, lag in enumerate(lags):
            where = f"{regime}/{arm}/lag {lag:g}"
            if lag > 1:
                top, bottom = part["displacement"][..., number] / lag, part["increment"][..., number]
                made.append(_family(f"walk/variance ratio/{where}", top, places, "1", arm, bottom=bottom, null=1.0))
            top, bottom = part["product"][..., number], part["increment_product"][..., number]
            made.append(_family(f"walk/autocorrelation/{where}", top, places, "1", arm, bottom=bottom))
        made.append(_family(f"walk/slope/{regime}/{arm}", slopes(part["displacement"], lags), places, "1", arm, null=1.0))
    return made


def _rates(data: xr.Dataset, regime: str, seed: int, level: float) -> list[Row]:
    """The best constant rate if the states were a walk seen through white noise, from the increments' autocorrelation at lag 1."""
    made, places = [], [str(place) for place in data["place"].values]
    for arm in (name for name in (CONTROL, TREATED) if name in data["arm"].values):
        part = data.sel(arm=arm, lag=1)
        top, bottom = (part[name].transpose("image", "place").values.astype(float) for name in ("product", "increment_product"))
        known = np.isfinite(top) & np.isfinite(bottom)
        found = cluster_bca(_mapped(ratio(np.where(known, top, 0), np.where(known, bottom, 0))), len(top), level=level, seed=seed)
        for i, place in enumerate(places):
            made.append(
                Row(
                    name=f"walk/best constant rate/{regime}/{arm}/{_place(place)}",
                    estimate=found.estimate[i],
                    unit="1",
                    n=int(known[:, i].sum()),
                    interval=(found.low[i], found.high[i]),
                    role="descriptive",
                    where={"quantity": "walk/best constant rate", "regime": regime, "contrast": arm, "layer": place},
                    reason=found.reason[i],
                )
            )
    return made


def _mapped(statistic: Statistic) -> Statistic:
    return lambda drawn: best_rate(statistic(drawn))


def _family(name, values, places, unit, arm, *, bottom=None, null=0.0, role="exploratory", effect=()) -> FamilyColumns:
    """The band and the layers of one quantity."""
    where = [{"quantity": name.removesuffix(f"/{arm}"), "contrast": arm, "layer": place} for place in places]
    names = [f"{name}/{_place(place)}" for place in places]
    return FamilyColumns(names, values, unit, where, bottom=bottom, null=null, role=role, family="layers and the band", effect=effect)


def _place(place: str) -> str:
    return place if place == "band" else f"layer {place}"
