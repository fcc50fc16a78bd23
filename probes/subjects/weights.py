"""Checks a model against its weight files: no missing or mismatched weights, and none that are not finite."""

import warnings
from typing import Any

import torch

from kvsmooth.loading.weights import incomplete, not_finite, unused
from probes.command.cli import BadInput, Notice


def check_complete(name: str, model: torch.nn.Module, told: dict[str, Any]) -> None:
    """Refuse a model of which some parameters are not in its weights: they would be drawn at random, others at every load.

    Parameters
    ----------
    name : of the subject
    told : what `from_pretrained` says under `kvsmooth.loading.weights.LOADING`

    Warns
    -----
    Notice : parameters that are not used

    Raises
    ------
    BadInput : parameters that are missing, or have another shape
    """
    if fault := incomplete(model, told):
        raise BadInput(f"subject {name}: {fault}")
    if line := unused(model, told):
        warnings.warn(f"subject {name}: {line}", Notice, stacklevel=3)


def check_finite(name: str, model: torch.nn.Module) -> None:
    """Refuse weights that are no numbers.

    Raises
    ------
    BadInput : parameters hold NaN or infinities
    """
    if fault := not_finite(model):
        raise BadInput(f"subject {name}: {fault}")
