"""Tiny random-weight models of every family, with inputs ready for `generate`: no hub, no processor, no weights on disk.

Every claim of equality in this project is tested on all of them. Weights are drawn with a standard deviation of 0.25, so that
attention rows and logits are far from uniform. Each decoder has 3 layers (Gemma3 and Llama 4: 4, of two kinds in turn).

A batch of two holds a shorter second prompt, left-padded, with an image of its own.

The environment variable ZOO_SEED draws other weights and pixels: what passes with one seed and one processor may pass by luck.
"""

import copy
import functools
import itertools
import os
from collections import OrderedDict
from collections.abc import Callable, Iterable, Sequence
from types import NoneType

import torch

from tests.zoo import blip, gemma, idefics, internvl, llama4, llava, qwen_vl, text_only
from tests.zoo.parts import BOS, EOS, IMAGE, PAD, TEXT, VIDEO, VISION_END, VISION_START, VOCABULARY

__all__ = [
    "ALSO",
    "BOS",
    "EOS",
    "FAMILIES",
    "IMAGE",
    "PAD",
    "TEXT",
    "VIDEO",
    "VISION_END",
    "VISION_START",
    "VOCABULARY",
    "build",
    "decoder_of",
    "turns",
]

FAMILIES: dict[str, Callable] = {
    family.__name__: family for module in (llava, qwen_vl, blip, idefics, gemma, internvl, text_only) for family in module.FAMILIES
}

ALSO: dict[str, Callable] = {family.__name__: family for family in llama4.FAMILIES}
"""Families that only the tests of the main guarantees run on, to keep the suite short."""

SEED = 1000 * int(os.environ.get("ZOO_SEED", "0"))
"""Added to every seed."""


def build(name: str, attn: str = "sdpa", seed: int = 0, batch: int = 1):
    """A tiny random model of one family and `batch` left-padded prompts for it.

    Parameters
    ----------
    name : a key of `FAMILIES` or `ALSO`
    attn : "sdpa" or "eager", for the whole model
    seed : weights and pixels depend on it and ZOO_SEED alone; pixels of the first row also on nothing else
    batch : rows; every second one has a shorter prompt

    Returns
    -------
    model (float32, eval, greedy, never ends by itself), inputs for `model.generate(**inputs, max_new_tokens=n)`
    """
    made, state = _made(name, attn, seed + SEED, batch)
    torch.set_rng_state(state)
    return _copied(made)


def _copied(made: tuple[torch.nn.Module, dict[str, torch.Tensor]]) -> tuple[torch.nn.Module, dict[str, torch.Tensor]]:
    """A deep copy; most of what modules hold are numbers and hooks that are not there, for which `deepcopy` alone takes twice as long."""
    parts = list(made[0].modules())
    memo = {id(part): type(part).__new__(type(part)) for part in parts}
    for part in parts:
        for name, held in vars(part).items():
            if type(held) in (NoneType, bool, int, float, str):
                vars(memo[id(part)])[name] = held
            elif type(held) in (OrderedDict, dict, set) and not held:
                vars(memo[id(part)])[name] = type(held)()
            else:
                vars(memo[id(part)])[name] = copy.deepcopy(held, memo)
    return copy.deepcopy(made, memo)


@functools.cache
def _made(name: str, attn: str, seed: int, batch: int):
    """What `build` gives copies of, in a third of the time it takes to make; and the state of the generator thereafter."""
    torch.manual_seed(seed)
    model_class, config, inputs = {**FAMILIES, **ALSO}[name](batch)
    config._attn_implementation = attn
    torch.manual_seed(seed + 1)
    model = model_class(config).eval()
    generator = torch.Generator().manual_seed(seed + 2)
    for parameter in model.parameters():
        if parameter.dim() > 1:
            torch.nn.init.normal_(parameter, std=0.25, generator=generator)
    for part in (model, getattr(model, "language_model", None)):
        if part is not None and hasattr(part, "generation_config"):
            part.generation_config.eos_token_id = None
            part.generation_config.pad_token_id = PAD
            part.generation_config.bos_token_id = BOS
            part.generation_config.do_sample = False
    return (model, inputs), torch.get_rng_state()


def turns(families: Iterable[str], choices: Sequence[str]) -> list[tuple[str, str]]:
    """Each family with one of the choices, the next one with the next: where a family and a choice do not hang on one another."""
    return list(zip(families, itertools.cycle(choices)))


def decoder_of(model: torch.nn.Module) -> torch.nn.Module:
    """The module that holds the text's layers, found by its looks; `get_decoder()` may give a model around it."""
    return next(module for module in model.get_decoder().modules() if hasattr(module, "layers"))
