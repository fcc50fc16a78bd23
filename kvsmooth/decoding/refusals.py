"""Caches and kinds of decoding that cannot be smoothed, each refused in one line with the way out."""

from collections.abc import Mapping
from typing import Any

import torch
from transformers import Cache
from transformers.cache_utils import DynamicLayer, StaticLayer

from kvsmooth.errors import Unsupported

EDITABLE = 'use a DynamicCache or cache_implementation="static"'


def option(module: torch.nn.Module, given: Mapping[str, Any], name: str) -> Any:
    """A generation option as `generate` will see it: the call's argument, else its configuration's, else the model's; None if unset."""
    for value in (given.get(name), *(getattr(given.get(c), name, None) for c in ("generation_config",))):
        if value is not None:
            return value
    return getattr(getattr(module, "generation_config", None), name, None)


def guided(module: torch.nn.Module, given: Mapping[str, Any]) -> bool:
    """Whether a call runs a branch beside its text, for classifier-free guidance."""
    return option(module, given, "guidance_scale") not in (None, 1)


def refuse_training(model: torch.nn.Module) -> None:
    """Refuse a model that is set to be trained: it drops out at random, and under gradient checkpointing its layers are given no cache.

    Raises
    ------
    Unsupported
    """
    training = next((path for path, module in model.named_modules() if module.training), None)
    if training is not None:
        what = f"its part {training} is" if training else "it is"
        raise Unsupported(
            f"{type(model).__name__} cannot be followed while {what} in train mode: it drops out at random, and keeps no cache under "
            "gradient checkpointing; call model.eval() first (model.gradient_checkpointing_disable() undoes the latter for good)."
        )


def refuse_generation(module: torch.nn.Module, given: Mapping[str, Any]) -> None:
    """Refuse a call of `generate` before anything runs.

    Raises
    ------
    Unsupported
        For assisted or prompt-lookup decoding, quantized, offloaded and paged caches, generation without a cache, prompts padded on
        the right, and guidance of a model that transformers itself cannot guide.
    """
    assisted = [name for name in ("assistant_model", "prompt_lookup_num_tokens", "assistant_early_exit") if option(module, given, name)]
    if assisted:
        raise Unsupported(f"KVSmooth cannot follow assisted generation, which rolls the cache back; leave {assisted[0]} out.")
    if option(module, given, "use_cache") is False:
        raise Unsupported("KVSmooth smooths the KV cache and use_cache=False keeps none; leave use_cache out.")
    refuse_training(module)
    if guided(module, given) and any(hasattr(part, "rope_deltas") for part in module.modules()):
        raise Unsupported(
            f"{type(module).__name__} of transformers cannot be guided, with KVSmooth or without: a step of the negative prompt is given "
            "the positions of its whole mask; leave guidance_scale out."
        )
    implementation = option(module, given, "cache_implementation")
    if implementation is not None and any(kind in implementation for kind in ("quantized", "offloaded", "paged")):
        raise Unsupported(f"KVSmooth cannot edit a cache of cache_implementation={implementation!r}; {EDITABLE}.")
    if given.get("past_key_values") is not None:
        refuse_cache(given["past_key_values"], ())
    mask = given.get("attention_mask")
    refuse_right_padding(_supposed_mask(module, given) if mask is None else mask)


def _supposed_mask(module: torch.nn.Module, given: Mapping[str, Any]) -> torch.Tensor | None:
    """The mask that `generate` makes where it is given none: 0 where the ids are the padding token, unless that is an end token too."""
    ids = given.get("input_ids", given.get("inputs"))
    pad, end = (option(module, given, f"{name}_token_id") for name in ("pad", "eos"))
    if ids is None or pad is None or pad in (end if isinstance(end, list | tuple) else [end]):
        return None
    supposed: torch.Tensor = ids != pad
    return supposed


def refuse_right_padding(mask: torch.Tensor | None) -> None:
    """Refuse prompts that end in padding: a row's first new token would be mixed with it.

    Parameters
    ----------
    mask : of the prompt, "row position", 0 = padding; masks of other shapes are passed over

    Raises
    ------
    Unsupported
    """
    padded = (mask[:, -1] == 0).nonzero().flatten().tolist() if mask is not None and mask.dim() == 2 and mask.shape[1] else []
    if padded:
        raise Unsupported(
            f'KVSmooth mixes a first token with the prompt\'s last, which is padding in row {padded[0]}; pad with padding_side="left".'
        )


def refuse_cache(cache: object, band: tuple[int, ...]) -> None:
    """Refuse a cache whose tensors are not the ones that attention reads.

    Parameters
    ----------
    band : layers whose storage must be editable; layers that do not exist yet are passed over

    Raises
    ------
    Unsupported
    """
    name = type(cache).__name__
    if not isinstance(cache, Cache) or not hasattr(cache, "layers"):
        raise Unsupported(f"KVSmooth cannot edit a {name}; {EDITABLE}.")
    if cache.offloading:
        raise Unsupported(f"KVSmooth cannot edit an offloaded {name}; {EDITABLE}.")
    kinds = {type(cache.layers[layer]) for layer in band if layer < len(cache.layers)} if band else set(map(type, cache.layers))
    for kind in kinds:
        if any("Quantized" in base.__name__ for base in kind.__mro__) or (band and not issubclass(kind, (DynamicLayer, StaticLayer))):
            raise Unsupported(f"KVSmooth cannot edit the {kind.__name__} of this {name}; {EDITABLE}.")


def refuse_pass(decoder: Any, given: Mapping[str, Any], band: tuple[int, ...]) -> None:
    """Refuse a forward pass that leaves nothing to smooth.

    Raises
    ------
    Unsupported
    """
    use_cache = given.get("use_cache")
    cache = given.get("past_key_values")
    if cache is None and not (decoder.config.use_cache if use_cache is None else use_cache):
        raise Unsupported("KVSmooth smooths the KV cache and this pass keeps none; call the model with use_cache=True.")
    if cache is not None:
        refuse_cache(cache, band)
