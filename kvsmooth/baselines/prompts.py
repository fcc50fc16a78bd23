"""Prompts of branches: the text's without its image, or with a disturbing instruction."""

import torch
from jaxtyping import Bool
from torch import Tensor

from kvsmooth.baselines.branch import Edit, Prompt, behind_image, without_image
from kvsmooth.baselines.site import Site
from kvsmooth.errors import Unsupported
from kvsmooth.spans import IMAGE, token_groups


def blind(site: Site) -> Edit:
    """Makes the prompt without its image's tokens."""
    return lambda prompt: without_image(prompt, _image(site, prompt))


def disturbed(site: Site, instruction: tuple[int, ...]) -> Edit:
    """Makes the prompt with an instruction behind its image."""
    return lambda prompt: behind_image(prompt, _image(site, prompt), torch.tensor(instruction, dtype=torch.long))


def _image(site: Site, prompt: Prompt) -> Bool[Tensor, "row position"]:
    image = token_groups(site.model, prompt.ids, prompt.mask).eq(IMAGE)
    if not image.any(1).all():
        raise Unsupported(f"{site.method} changes what is seen of an image, and a prompt has none; leave it out for text alone.")
    return image
