"""Prompts of branches: the text's without its image, or with a disturbing instruction."""

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from kvsmooth.baselines.branch import BatchPrompt, Edit, behind_image, without_image
from kvsmooth.baselines.site import Site
from kvsmooth.errors import Unsupported
from kvsmooth.spans import BOS, IMAGE, token_groups


def blind(site: Site) -> Edit:
    """Makes the prompt without its image's tokens."""
    return lambda prompt: without_image(prompt, image_tokens(site, prompt))


def disturbed(site: Site, instruction: tuple[int, ...]) -> Edit:
    """Makes the prompt with an instruction behind its image."""

    def edit(prompt: BatchPrompt) -> BatchPrompt:
        groups = _groups(site, prompt)
        return behind_image(prompt, groups.eq(IMAGE), groups.eq(BOS), torch.tensor(instruction, dtype=torch.long))

    return edit


def image_tokens(site: Site, prompt: BatchPrompt) -> Bool[Tensor, "row position"]:
    """Which tokens of a prompt are its image's.

    Raises
    ------
    Unsupported : a prompt has none
    """
    return _groups(site, prompt).eq(IMAGE)


def _groups(site: Site, prompt: BatchPrompt) -> Int[Tensor, "row position"]:
    groups = token_groups(site.model, prompt.ids, prompt.mask)
    if not groups.eq(IMAGE).any(1).all():
        raise Unsupported(f"{site.method} changes what is seen of an image, and a prompt has none; leave it out for text alone.")
    return groups
