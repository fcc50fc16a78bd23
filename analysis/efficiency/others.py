"""Methods of others as arms, each at its source's setting.

Some must be given what is made of a model's captions: here it is made up, of the right shape, since a step costs the same with any.
"""

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import torch

from analysis.efficiency.names import BEAMS
from kvsmooth.decoding.attention import innermost_decoder
from probes.command.cli import BadInput

if TYPE_CHECKING:
    from analysis.efficiency.arms import Case, StepClock

INSTRUCTION = (3,) * 8
"""Ids of a disturbing instruction of as many tokens as ICD's first one has."""
END = 2
"""Id of a token that stands for the end of a text, or of a line."""


def beams(case: "Case", clock: "StepClock") -> None:
    """Beam search without a method: what a method that is a beam search is to be compared with."""
    case.generate(clock, num_beams=BEAMS)


def other(name: str) -> "Callable[[Case, StepClock], None]":
    """`beams`, or `generate` in the block of a method of others.

    Raises
    ------
    BadInput : there is none of this name
    """
    from analysis.efficiency.arms import ARMS
    from kvsmooth.baselines import METHODS

    if name == beams.__name__:
        return beams
    if name not in METHODS:
        raise BadInput(f"there is no arm {name[:40]!r}; choose from {', '.join((*ARMS, beams.__name__, *METHODS))}.")
    method = METHODS[name]

    def inside(case: "Case", clock: "StepClock") -> None:
        # a text of which no token is the end's before the last: what raises the odds of an end must know one, and write as much as the rest
        ends = {"eos_token_id": END, "min_new_tokens": case.new_tokens} if name == "eos_bias" else {}
        with method(**made_up(name, case.model))(case.model):
            case.generate(clock, **method.generation, **ends)

    return inside


def made_up(name: str, model: Any) -> Mapping[str, Any]:
    """The options that a method must be given, nothing for most."""
    config = innermost_decoder(model).config
    layers, heads = config.num_hidden_layers, config.num_attention_heads
    if name == "vti":
        return {"directions": torch.ones(layers, config.hidden_size)}
    if name == "adaiat":  # so large that every row is below its threshold, and is changed
        large = torch.full((layers,), float(2 * heads))
        return {"statistics": {"ratio": torch.full((layers, heads), 1.1), "real": large, "hallucinated": large}}
    if name == "icd":
        return {"instruction": INSTRUCTION}
    return {"tokens": (END,)} if name == "skip_newline" else {}
