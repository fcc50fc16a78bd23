"""Checks a model against its weight files: no missing or mismatched weights, and none that are not finite."""

import warnings
from collections.abc import Collection, Sequence
from typing import Any

import torch

from probes.command.cli import BadInput, Notice
from probes.tracing.nonfinite import nonfinite

SHOWN = 3
"""Parameters that a line names; of further ones it gives the number."""


def check_complete(name: str, model: torch.nn.Module, told: dict[str, Any]) -> None:
    """Refuse a model of which some parameters are not in its weights: they would be drawn at random, others at every load.

    Weights that the model has no place for change nothing in it, and are told: layers that its configuration leaves out, say, are a smaller
    model, but the same one at every load.

    Parameters
    ----------
    name : of the subject
    told : what `from_pretrained(..., output_loading_info=True)` gives; tied parameters are in it only where the other one is missing too

    Warns
    -----
    Notice : parameters that are not used

    Raises
    ------
    BadInput : parameters that are missing, or have another shape
    """
    missing = sorted(told["missing_keys"])
    # what the model derives itself and older versions stored beside the weights, such as positions
    derived = {path for path, _ in model.named_buffers()}
    unexpected = sorted(set(told["unexpected_keys"]) - derived)
    if missing:
        instead = f", which hold {_named(unexpected)} instead" if unexpected else ""
        raise BadInput(
            f"subject {name}: {_named(missing)} {_are(missing)} not in its weights{instead}, and would be random; restore the weights, or "
            "have config.json say what they hold (its layers, its tie_word_embeddings)."
        )
    if told["mismatched_keys"]:
        shapes = [f"{path} {list(there)} for {list(due)}" for path, there, due in sorted(told["mismatched_keys"])]
        raise BadInput(
            f"subject {name}: {_listed(shapes)} {_have(shapes)} another shape in its weights than config.json says; restore the one or "
            "the other."
        )
    if unexpected:
        line = f"subject {name}: its weights hold {_named(unexpected)}, which the model of config.json has no place for; left out."
        warnings.warn(line, Notice, stacklevel=3)


def check_finite(name: str, model: torch.nn.Module) -> None:
    """Refuse weights that are no numbers.

    Raises
    ------
    BadInput : parameters hold NaN or infinities
    """
    broken = nonfinite(model)
    if broken:
        dtype = str(model.dtype).removeprefix("torch.")
        narrow = "; float16 ends at 65504: take dtype bfloat16 or float32, or restore the weights." if dtype == "float16" else ""
        raise BadInput(f"subject {name}: {_named(broken)} {_have(broken)} NaN or infinite values{narrow or '; restore the weights.'}")


def _named(paths: Sequence[str]) -> str:
    return f"{_listed(paths)} ({len(paths)} parameters)" if len(paths) > SHOWN else _listed(paths)


def _listed(things: Sequence[str]) -> str:
    rest = len(things) - SHOWN
    return ", ".join(things[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _are(things: Collection) -> str:
    return "is" if len(things) == 1 else "are"


def _have(things: Collection) -> str:
    return "has" if len(things) == 1 else "have"
