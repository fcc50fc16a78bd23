"""Names, order and colours of detectors in this question's figures: by lead time, one colour each."""

import json

import xarray as xr

from analysis.plots.style import BROWN, INDIGO, NULL_COLOUR, OLIVE, SAND
from analysis.sinks.names import BASELINES, lead

LEADS = {"prompt": NULL_COLOUR, "before": INDIGO, "step": OLIVE, "later": BROWN}
LEAD_LABELS = {
    "prompt": "with the prompt",
    "before": "before the token's attention",
    "step": "at the token's step",
    "later": "only from later queries",
}
BASELINE_COLOUR = "#000000"
SAME_TOKEN = (SAND, "^")
KIND_LABELS = {"pooled": "any two tokens (pooled)", "within": "same image", "stratified": "same step (position-stratified)"}
_NAMES = {"position": "position (earlier)", "token": "token, elsewhere", "visual_sink": "visual sink φ"}


def label(name: str) -> str:
    """A scorer's name as a figure writes it."""
    return _NAMES.get(name, name.replace("_", " "))


def leads(data: xr.Dataset) -> dict[str, str]:
    """Lead time of every detector, those that are known first coming first."""
    about = json.loads(data.attrs["detectors"])
    order = list(LEADS)
    return dict(sorted(((name, lead(name, about)) for name in about), key=lambda item: order.index(item[1])))


def colour(name: str, known: dict[str, str]) -> str:
    """Of a scorer."""
    return BASELINE_COLOUR if name in BASELINES else LEADS[known[name]]


def ranked(data: xr.Dataset) -> list[str]:
    """Scorers that differ between generated tokens: baselines, then detectors by lead time."""
    values = data["auroc"].sel(kind="pooled", bound="estimate")
    varies = {str(name) for name in data["scorer"].values if (values.sel(scorer=name) != 0.5).any()}
    return [name for name in (*BASELINES, *leads(data)) if name in varies]
