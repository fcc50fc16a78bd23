"""Directions in the states of a decoder's layers: made of pairs of texts, kept in files."""

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from kvsmooth.decoding.attention import decoder_of

NAME = "directions"
Inputs: TypeAlias = Mapping[str, Any]
"""What a model's forward pass is given."""


@torch.no_grad()
def text_directions(model: torch.nn.Module, pairs: Iterable[tuple[Inputs, Inputs]]) -> Float[Tensor, "layer width"]:
    """From texts one would rather not have to those one would: VTI's textual directions.

    With d the difference (better - worse) of the last token's hidden states at all places of the decoder, one vector for a pair: mean of d
    plus the first principal component of the centred d, of length 1, cut into places; that of the embeddings is left out. The sign is that
    with which the component's largest score, in size, is positive; of two pairs, whose scores are alike, it is either. The last place is
    behind the decoder's last norm, as that of transformers' `hidden_states` is. Source: Liu et al., ICLR 2025, "Reducing hallucinations via
    latent space steering"; the authors' code.

    Parameters
    ----------
    pairs : (worse, better), each what the model's forward pass is given: prompt, image and caption; a batch is as many pairs as it has
        rows, padded on the left

    Raises
    ------
    ValueError : no pair, or two texts of different numbers of rows
    """
    found = []
    for worse, better in pairs:
        before, after = (_places(model, inputs) for inputs in (worse, better))
        if before.shape != after.shape:
            raise ValueError(f"text_directions.pairs must hold as many worse as better texts; got {len(before)} and {len(after)} rows.")
        found.append(after - before)
    if not found:
        raise ValueError("text_directions.pairs must hold at least one pair of texts; got none.")
    differences = torch.cat(found)
    return principal(differences.flatten(1)).view(differences.shape[1:])[1:]


def principal(differences: Float[Tensor, "pair number"]) -> Float[Tensor, " number"]:
    """Mean plus first principal component; of a single pair, the mean alone, as what is centred holds nothing."""
    mean = differences.mean(0)
    if len(differences) == 1:
        return mean
    scores, _, components = torch.linalg.svd(differences - mean, full_matrices=False)
    first = scores[:, 0]
    component: Tensor = components[0] * first[first.abs().argmax()].sign()
    return mean + component


def _places(model: Any, inputs: Inputs) -> Float[Tensor, "row place width"]:
    """The last token's hidden states, from the embeddings to behind the last norm."""
    decoder, states = decoder_of(model), []

    def before(layer: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        states.append((args[0] if args else kwargs["hidden_states"])[:, -1])

    def after(stack: torch.nn.Module, args: object, output: Any) -> None:
        states.append((output[0] if isinstance(output, tuple) else output.last_hidden_state)[:, -1])

    hooks = [layer.register_forward_pre_hook(before, with_kwargs=True) for layer in decoder.layers]
    hooks.append(decoder.register_forward_hook(after))
    try:
        model(**inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return torch.stack(states, 1).float().cpu()


def save_directions(directions: Float[Tensor, "layer width"], file: str | os.PathLike[str]) -> Path:
    """Write directions to a file, whole or not at all."""
    path = Path(file)
    unfinished = path.with_name(f"{path.name}.unfinished")
    torch.save({NAME: directions.detach().float().cpu().contiguous()}, unfinished)
    unfinished.replace(path)
    return path


def checked_directions(given: Any, option: str) -> Float[Tensor, "layer width"]:
    """Directions as a tensor, from a tensor or from a file that `save_directions` wrote.

    Raises
    ------
    ValueError : neither of both, or numbers that are not finite
    """
    if isinstance(given, str | os.PathLike):
        given = _read(Path(given), option)
    if not isinstance(given, Tensor) or given.dim() != 2 or not given.is_floating_point() or not given.isfinite().all():
        got = f"shape {list(given.shape)}" if isinstance(given, Tensor) else type(given).__name__
        raise ValueError(f'{option} must be finite numbers, "layer width", or the file of such; got {got}.')
    return given.detach().float().cpu()


def _read(path: Path, option: str) -> Any:
    try:
        held = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise ValueError(f"{option}: there is no file {path}; write one with kvsmooth.baselines.directions.save_directions.") from None
    except Exception as error:  # torch has many names for a damaged file
        raise ValueError(f"{option}: {path} cannot be read as directions ({type(error).__name__}); write it anew.") from None
    if not isinstance(held, dict) or NAME not in held:
        raise ValueError(f"{option}: {path} holds no directions; write one with kvsmooth.baselines.directions.save_directions.")
    return held[NAME]
