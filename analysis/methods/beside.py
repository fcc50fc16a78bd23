"""An earlier result on the same scenes, beside which new arms are set: a method is added to a table without running the others again."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import xarray as xr

from analysis.methods.trial import NONE
from analysis.question.question import Question
from probes.command.cli import BadInput
from probes.command.strict_json import as_json, as_plain

SAME = ("subject", "images", "validation", "strengths", "beams", "prompt", "max_new_tokens", "fluent", "seed")
"""Options that both results must have been made with."""
SCENES = ("model_id", "model_revision", "data_hash", "validation_hash")
"""What says, of a result, who described which scenes."""
LISTS = ("chosen", "aside", "given", "options", "reports", "seconds", "examples")
"""Attributes by method or arm, which are joined."""
LATER = ("given", "seconds")
"""Those that older results lack."""


def earlier(question: Question, folder: Path, config: Any) -> xr.Dataset:
    """The reduced data in a folder, to be joined with those of a run with these options.

    Raises
    ------
    BadInput : there are none, they were made with other options, or they hold a method that is asked for again
    """
    try:
        found, _ = question.read(question.data(folder))
    except BadInput as error:
        name = question.data(folder).name
        raise BadInput(f"--beside {folder}: holds no {name} that can be read; name the folder of an earlier result.") from error
    if missing := sorted({"analysis", "objects", *LISTS} - {*LATER} - found.attrs.keys()):
        raise BadInput(f"--beside {folder}: its {question.data(folder).name} has no {missing[0]!r}, as every result of this question has.")
    stated, default = origin_of(found)["config"], {name: field.default for name, field in type(config).__dataclass_fields__.items()}
    for name in SAME:
        there, here = stated.get(name, as_plain(default[name])), as_plain(getattr(config, name))
        if there != here:
            option = f"--{name.replace('_', '-')}"
            raise BadInput(f"--beside {folder}: was made with {option} {_plain(there)}, this run has {_plain(here)}; give it the same.")
    known = {*json.loads(found.attrs["chosen"]), *(str(arm).partition(" x")[0] for arm in found["arm"].values)}
    twice = [name for name in config.methods if name in known]
    if twice or not config.methods:
        which = f"{', '.join(twice)} stands there already; leave it out of --methods" if twice else "name by --methods what is added to it"
        raise BadInput(f"--beside {folder}: {which}.")
    return found


def comparable(before: xr.Dataset, new: xr.Dataset) -> None:
    """Refuse an earlier result beside which new arms cannot be set; of these only what is said without a method need be there yet.

    Raises
    ------
    BadInput : they are not of the same subject and scenes, count otherwise, or without a method something else was said
    """
    then, now = origin_of(before), origin_of(new)
    for name in SCENES:
        if then.get(name) != now[name]:
            raise BadInput(f"--beside: its {name} is {then.get(name)}, that of this run {now[name]}; they cannot be set beside each other.")
    for name, a, b in (
        ("objects", json.loads(before.attrs["objects"]), json.loads(new.attrs["objects"])),
        *((name, before[name].values.tolist(), new[name].values.tolist()) for name in ("count", "column")),
    ):
        if a != b:
            raise BadInput(f"--beside: its list of {name} is that of another version; run all methods anew.")
    for name, along in (("validation", "setting"), ("test", "arm")):
        a, b = (one[name].sel({along: NONE}).values for one in (before, new))
        if apart := int((a != b).any(axis=-1).sum()):
            raise BadInput(
                f"--beside: without a method {apart} of {len(a)} {name} captions come to something else than then, by another processor "
                "or another version of a library; run all methods anew."
            )


def joined(before: xr.Dataset, new: xr.Dataset) -> xr.Dataset:
    """The reduced data of both, as of one run, which tells of the other in its origin.

    Raises
    ------
    BadInput : as of `comparable`
    """
    comparable(before, new)
    then, now = origin_of(before), origin_of(new)
    width = max(one.sizes["mention"] for one in (before, new))
    arms = _put_together(*(_wide(one.drop_dims("setting"), width) for one in (before, new)), along="arm")
    settings = _put_together(before[["validation"]], new[["validation"]], along="setting")
    lists = {name: as_json({**json.loads(before.attrs.get(name, "{}")), **json.loads(new.attrs[name])}) for name in LISTS}
    there = {*json.loads(before.attrs["chosen"]), *json.loads(new.attrs["chosen"]), *map(str, arms["arm"].values)}
    for name, held in lists.items():  # the arm without a method is that of before, and what is told of it as well
        if NONE in (older := json.loads(before.attrs.get(name, "{}"))):
            lists[name] = as_json({**json.loads(held), NONE: older[NONE]})
    lists["aside"] = as_json({name: why for name, why in json.loads(lists["aside"]).items() if name not in there})
    methods = [*json.loads(before.attrs["chosen"]), *now["config"]["methods"]]
    older = then.get("beside", [])
    own = [name for name in json.loads(before.attrs["chosen"]) if not any(name in one["methods"] for one in older)]
    told = {**now, "config": {**now["config"], "methods": methods}}
    told["beside"] = [*older, {"git_commit": then["git_commit"], "methods": own}]
    return arms.merge(settings).assign_attrs({**before.attrs, **lists, "analysis": as_json(told)})


def origin_of(reduced: xr.Dataset) -> Mapping[str, Any]:
    """What reduced data say of the run that made them."""
    return json.loads(reduced.attrs["analysis"])


def _put_together(before: xr.Dataset, new: xr.Dataset, *, along: str) -> xr.Dataset:
    """One after the other, of the new without that without a method."""
    new = new.drop_sel({along: NONE})
    names = [str(name) for one in (before, new) for name in one[along].values]
    made = xr.concat([before, new], along, data_vars="minimal", coords="minimal", compat="override")
    return made.assign_coords({along: names})  # concat cuts names to the longest of the first


def _wide(reduced: xr.Dataset, width: int) -> xr.Dataset:
    """With places for so many mentions; -1 says that there is none."""
    return reduced.pad(mention=(0, width - reduced.sizes["mention"]), constant_values=-1)


def _plain(value: Any) -> str:
    return " ".join(map(str, value)) if isinstance(value, list) else str(value)
