"""Where a method works: one model for the time of a block, and what follows its passes."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch

from kvsmooth.baselines.following import Following
from kvsmooth.errors import Unsupported


@dataclass(frozen=True)
class Site:
    """A model at which a method is at work.

    Attributes
    ----------
    method : name of the method
    model, decoder : that the block was opened with, and its stack of layers
    following : tells which pass decodes, on which stream
    """

    method: str
    model: Any
    decoder: Any
    following: Following

    @property
    def depth(self) -> int:
        """Layers of the decoder."""
        return len(self.decoder.layers)

    @cached_property
    def head(self) -> torch.nn.Module:
        """What makes logits of states."""
        head: torch.nn.Module | None = self.model.get_output_embeddings()
        if head is None:
            raise Unsupported(f"{self.method} changes logits and {type(self.model).__name__} has no output embeddings.")
        return head

    @cached_property
    def speaker(self) -> torch.nn.Module:
        """The module whose forward pass gives the logits: the model, or its language model if it delegates to that."""
        speaker: torch.nn.Module = self.model
        for module in self.model.modules():
            if any(child is self.head for child in module.children()):
                speaker = module
                break
        return speaker

    @cached_property
    def final_norm(self) -> torch.nn.Module:
        """The norm between the last layer and the head."""
        for name in ("norm", "final_layer_norm"):
            norm = getattr(self.decoder, name, None)
            if isinstance(norm, torch.nn.Module):
                return norm
        raise Unsupported(
            f"{self.method} needs the norm before the output embeddings; {type(self.decoder).__name__} has none that is known."
        )
