"""What the contracts run each method with: options that move a tiny model a lot, options that change nothing, who is not served."""

from functools import cache

import pytest
import torch

from kvsmooth.baselines import METHODS
from tests import zoo
from tests.kvsmooth.cases import FAST, Forced, one_row, shared

ALL = (0, 1, 2)
STRONG = {
    "image_bias": {"strength": (2.0, -1.0, 0.5, 3.0)},
    "eos_bias": {"bias": 3.0},
    "repetition_penalty": {"penalty": 1.5},
    "pai": {"alpha": 0.7, "layers": ALL},
    "random_positions": {"alpha": 0.7, "layers": ALL, "seed": 3},
    "middle_layer": {"alpha": 0.8, "layers": ALL},
    "vaf": {"image": 1.6, "system": 0.5, "layers": ALL},
    "sparc": {"alpha": 3.0, "tau": -0.2, "beta": 0.3, "layer": 1},
    "sink_redistribution": {"p": 0.1, "rho": 0.9, "visual": 0.05, "tau": 1.2, "channels": (3, 17, 20), "layers": ALL},
    "farsight": {"strength": 1.5, "registers": 6, "sigma": 0.1, "fading": 0.5},
    "tame": {"gamma": 2.0, "layers": ALL},
    "iat": {"alpha": 0.9, "layers": ALL},
    "adaiat": {"alpha": 6.0, "beta": 0.5, "layers": ALL},
    "skip_newline": {"tokens": tuple(range(3, 30))},
    "vti": {"alpha": 6.0},
    "vista": {"strength": 0.8, "mix": 0.4, "places": (1, 2)},
    "vcd": {"alpha": 1.0, "beta": 0.01, "noise_step": 900},
    "m3id": {"decay": 0.3, "beta": 0.01},
    "icd": {"instruction": (21, 22, 23), "beta": 0.01},
    "avisc": {"alpha": 1.5, "beta": 0.01, "deviations": 0.3},
    "sid": {"beta": 0.01, "rank": 1, "layer": 1},
    "prunehal": {"keep": 0.5, "forced": 1, "layers_below": 0.3},
    "only": {"gamma": 0.9, "beta": 0.01},
    "dola": {"relative_top": 0.01, "layers": ALL},
    "deco": {"alpha": 0.9, "layers": ALL, "nucleus": 0.99},
}
"""Options under which a model of the zoo says something else."""
NEUTRAL = {
    "image_bias": {"strength": 0.0},
    "eos_bias": {"bias": 0.0},
    "repetition_penalty": {"penalty": 1.0},
    "pai": {"alpha": 0.0},
    "random_positions": {"alpha": 0.0},
    "middle_layer": {"alpha": 0.0},
    "vaf": {"image": 1.0, "system": 1.0},
    "sparc": {"alpha": 1.0},
    "sink_redistribution": {"p": 1.0, "layers": ALL},
    "farsight": {"strength": 0.0},
    "tame": {"gamma": 0.0},
    "iat": {"alpha": 0.0},
    "adaiat": {"alpha": 0.0},
    "skip_newline": {"strength": 0.0},
    "vti": {"alpha": 0.0},
    "vista": {"strength": 0.0, "mix": 0.0},
    "vcd": {"alpha": 0.0, "beta": 0.0},
    "m3id": {"decay": 0.0, "beta": 0.0},
    "icd": {"alpha": 0.0, "beta": 0.0},
    "avisc": {"alpha": 0.0, "beta": 0.0},
    "sid": {"alpha": 0.0, "beta": 0.0},
    "prunehal": {"keep": 1.0},
    "only": {"together": 0.0, "alpha": 0.0, "beta": 0.0},
    "dola": {"strength": 0.0, "relative_top": 0.0},
    "deco": {"alpha": 0.0, "nucleus": 1.0, "most": 0},
}
TEXT_ONLY = ("llama", "qwen3", "mistral")
OF_A_CONTRAST = {"vcd", "m3id", "icd", "avisc", "sid"}
OF_IMAGE_SCORES = {"image_bias", "pai", "random_positions", "middle_layer", "vaf"}
NEEDS_IMAGE = OF_IMAGE_SCORES | {"sink_redistribution", "sparc", "only", "prunehal", "vista"} | OF_A_CONTRAST
OF_LAYERS = {"vti", "vista"}
OF_ATTENTION = (NEEDS_IMAGE - OF_A_CONTRAST - OF_LAYERS) | {"farsight", "tame", "iat", "adaiat"}
NOT_SERVED = {"only": ("gemma3", "blip2_opt")}
"""By method, families that it refuses when the block is opened."""
ALONE = ("farsight", "sink_redistribution")
"""Methods that compute a softmax of their own and stand on no other method's attention; others may be opened within them."""
OWN_FILE = {"opera"}
"""Methods with a loop of their own, held to the same in a file of their own: `test_opera.py`."""
CONTRACTED = [name for name in METHODS if name not in OWN_FILE]
NO_BEAMS = {"repetition_penalty"}
GENERATION = {"return_dict_in_generate": True, "output_logits": True, "eos_token_id": zoo.EOS}


def directions(depth=3, width=32):
    """Directions of a small decoder."""
    return torch.randn(depth, width, generator=torch.Generator().manual_seed(3))


def statistics(depth=3, heads=4):
    """Statistics of a small decoder, with thresholds that some rows exceed."""
    ratio = 1 + torch.rand(depth, heads, generator=torch.Generator().manual_seed(4))
    return {"ratio": ratio, "real": torch.full((depth,), 0.3), "hallucinated": torch.full((depth,), 0.1)}


def strong(name, family="llava"):
    """The method with options that move, for the decoder of a family."""
    depth = 4 if family == "gemma3" else 3
    given = {"vti": {"directions": directions(depth)}, "adaiat": {"statistics": statistics(depth)}}
    return METHODS[name](**STRONG[name], **given.get(name, {}))


def neutral(name):
    """The method with options that change nothing."""
    return METHODS[name](**NEUTRAL[name])


def served(family):
    """Methods that serve a family."""
    refused = [name for name, families in NOT_SERVED.items() if family in families]
    return [name for name in CONTRACTED if name not in refused and not (family in TEXT_ONLY and name in NEEDS_IMAGE)]


def pairs(quick=("llava",), methods=METHODS):
    """Each method with each family that it serves; families that are not quick are marked slow."""
    return [
        pytest.param(method, family, marks=() if family in quick else pytest.mark.slow, id=f"{method}-{family}")
        for family in zoo.FAMILIES
        for method in served(family)
        if method in methods
    ]


def some_pairs(every=4):
    """Each method with llava, other families with every fourth method that serves them: for what is its own on any family."""
    families = list(zoo.FAMILIES)
    chosen = {(name, family) for family in families for name in served(family)[families.index(family) % every :: every]}
    return [one for one in pairs() if one.values[1] == "llava" or one.values in chosen]


def in_turn(given):
    """Families, or pairs that end with one, with an implementation of attention: of the fast tier with both, of the others in turn."""
    both, families = ("sdpa", "eager"), list(zoo.FAMILIES)
    return [
        pytest.param(*one.values, attn, marks=one.marks, id="-".join((*one.values, attn)))
        for one in given
        for attn in (both if one.values[-1] in FAST else both[families.index(one.values[-1]) % 2 :][:1])
    ]


def few_tokens(family):
    """Of a generation that a slow reference repeats: two passes upon what the first one left, in the fast tier five."""
    return 6 if family in FAST else 3


def said(model, inputs, method=None, tokens=6, **options):
    """Generation with a method: (logits "step row token", new tokens "row step", receipts)."""
    wanted = {**GENERATION, "max_new_tokens": tokens, "min_new_tokens": tokens, **options}
    if method is None:
        out, run = model.generate(**inputs, **wanted), None
    else:
        with method(model) as run:
            out = model.generate(**inputs, **wanted)
    return torch.stack(out.logits), out.sequences[:, -len(out.logits) :], run


@cache
def in_batch(name, family, attn="sdpa"):
    """What a strong method says to a padded batch of two, once for all tests that look at it."""
    tokens = 6 if name == "adaiat" else few_tokens(family)  # some texts pass its threshold late
    return said(*shared(family, attn, 2), strong(name, family), tokens=tokens)


def forced(model, inputs, tokens, method=None):
    """Raw logits "step row token" of a model that is made to say these tokens "row step"."""
    options = {**GENERATION, "max_new_tokens": tokens.shape[1], "logits_processor": [Forced(tokens)]}
    if method is None:
        return torch.stack(model.generate(**inputs, **options).logits)
    with method(model):
        return torch.stack(model.generate(**inputs, **options).logits)


__all__ = [
    "ALL",
    "CONTRACTED",
    "METHODS",
    "few_tokens",
    "forced",
    "in_batch",
    "in_turn",
    "neutral",
    "one_row",
    "pairs",
    "said",
    "served",
    "shared",
    "some_pairs",
    "strong",
]
