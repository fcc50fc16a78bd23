"""What figures and pages call a log: its method, and whose run it is where a model has several of that method."""

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from analysis.published.logs import BASELINE

SHORT = {
    "MiddleLayer (HGAI)": "MiddleLayer",
    "trained to stop earlier": "EOS-trained",
    "middle_layers_indicating_hallucinations": "middle-layers",
}
"""Methods and repositories whose names are too long beside a point."""


def names(logs: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """By log, a name that is unique among the logs of its model: the method, and in brackets what tells it from others of that method."""
    found = {}
    for log in logs:
        alike = [one for one in logs if (one["model"], one["method"]) == (log["model"], log["method"])]
        wanted = next((key for key in ("repository", "settings", "name") if len({one[key] for one in alike}) == len(alike)), "name")
        called, run = (SHORT.get(name, name) for name in (log["method"], log[wanted].rpartition("/")[2]))
        found[log["name"]] = called if len(alike) == 1 else f"{called} ({run.replace('_', ' ')})"
    return found


def of_model(logs: Sequence[Mapping[str, Any]]) -> dict[str, list[Mapping[str, Any]]]:
    """The logs by model, the model with most logs first; in each, baselines first."""
    models = Counter(log["model"] for log in logs)
    return {
        model: sorted((log for log in logs if log["model"] == model), key=lambda log: log["method"] != BASELINE)
        for model, _ in models.most_common()
    }


def full_names(logs: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """By log, a name that is unique among all: model and method; the model that most logs are of goes without saying."""
    called, models = names(logs), list(of_model(logs))
    return {
        log["name"]: called[log["name"]] if log["model"] == models[0] else f"{log['model']} {called[log['name']]}".strip() for log in logs
    }
