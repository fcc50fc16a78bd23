"""Compares a model with its weight files: what is missing or has another shape, what is not finite, what is left over."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import torch

LOADING: dict[str, Any] = {"output_loading_info": True, "ignore_mismatched_sizes": True}
"""Of `from_pretrained`: the model, and what `incomplete` and `unused` read. Shapes that do not fit are let through, to be named."""
PLAIN = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
SHOWN = 3
"""Parameters that a line names; of further ones it gives the number."""


def incomplete(model: torch.nn.Module, told: Mapping[str, Any]) -> str | None:
    """Which parameters are not in the weight files, and would be drawn at random, others at every load; None where all are.

    Parameters
    ----------
    told : what `from_pretrained` says under `LOADING`; tied parameters are in it only where the other one is missing too
    """
    missing = sorted(told["missing_keys"])
    if missing:
        left_over = _left_over(model, told)
        instead = f", which hold {_named(left_over)} instead" if left_over else ""
        return (
            f"{_named(missing)} {_are(missing)} not in its weights{instead}, and would be random; restore the weights, or "
            "have config.json say what they hold (its layers, its tie_word_embeddings)."
        )
    if told["mismatched_keys"]:
        shapes = [f"{path} {list(there)} for {list(due)}" for path, there, due in sorted(told["mismatched_keys"])]
        return f"{_listed(shapes)} {_have(shapes)} another shape in its weights than config.json says; restore the one or the other."
    return None


def unused(model: torch.nn.Module, told: Mapping[str, Any]) -> str | None:
    """Which weights the model has no place for; None where there are none.

    They change nothing in it: layers that its configuration leaves out, say, are a smaller model, but the same one at every load.

    Parameters
    ----------
    told : what `from_pretrained` says under `LOADING`
    """
    left_over = _left_over(model, told)
    return f"its weights hold {_named(left_over)}, which the model of config.json has no place for; left out." if left_over else None


def not_finite(model: torch.nn.Module) -> str | None:
    """Which parameters hold NaN or infinities; None where none does."""
    broken = nonfinite(model)
    if not broken:
        return None
    dtype = str(next(model.parameters()).dtype).removeprefix("torch.")
    narrow = "; float16 ends at 65504: take dtype bfloat16 or float32, or restore the weights." if dtype == "float16" else ""
    return f"{_named(broken)} {_have(broken)} NaN or infinite values{narrow or '; restore the weights.'}"


def nonfinite(model: torch.nn.Module) -> list[str]:
    """Parameters with values that are NaN or infinite; quantized ones, and those that accelerate has put aside, are not looked at."""
    looked_at = ((path, values) for path, values in model.named_parameters() if values.dtype in PLAIN and values.device.type != "meta")
    return [path for path, values in looked_at if not _finite(values)]


def _finite(values: torch.Tensor) -> bool:
    """A sum is finite only where all its terms are, and takes a sixth of the time; one that is not may be the sum of large numbers."""
    total = values.sum(dtype=torch.promote_types(values.dtype, torch.float32))
    return bool(torch.isfinite(total)) or bool(torch.isfinite(values).all())


def _left_over(model: torch.nn.Module, told: Mapping[str, Any]) -> list[str]:
    # what the model derives itself and older versions stored beside the weights, such as positions
    derived = {path for path, _ in model.named_buffers()}
    return sorted(set(told["unexpected_keys"]) - derived)


def _named(paths: Sequence[str]) -> str:
    return f"{_listed(paths)} ({len(paths)} parameters)" if len(paths) > SHOWN else _listed(paths)


def _listed(things: Sequence[str]) -> str:
    rest = len(things) - SHOWN
    return ", ".join(things[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _are(things: Collection[str]) -> str:
    return "is" if len(things) == 1 else "are"


def _have(things: Collection[str]) -> str:
    return "has" if len(things) == 1 else "have"
