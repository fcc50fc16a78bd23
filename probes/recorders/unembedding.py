"""Reading any layer's output as next-token logits: the logit lens, through the model's own final norm and output embeddings."""

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from kvsmooth import Unsupported
from kvsmooth.decoding.attention import innermost_decoder

AFTER_LAYERS = ("norm", "final_layer_norm", "project_out")
"""What decoders call the modules between their last layer and the output embeddings, in the order in which they are applied."""
TOLERANCE = {torch.float32: 1e-3, torch.float16: 2e-2, torch.bfloat16: 1e-1}


class Unembedding:
    """Final norm and output embeddings of a model, applied to states of any layer.

    The modules are the model's own, tied heads included. What a model does to its logits behind the head (a cap, a factor) is not a module;
    it is taken from the configuration and proved, as all the rest, by `settle`: of the last layer's output it must make the logits that
    the model itself gave.

    Parameters
    ----------
    speaker : the module that owns decoder and output embeddings

    Attributes
    ----------
    behind : what is applied behind the head; None until `settle` has found it
    """

    def __init__(self, speaker: Any):
        self.head = speaker.get_output_embeddings()
        decoder = innermost_decoder(speaker)
        self.modules = [module for name in AFTER_LAYERS if (module := getattr(decoder, name, None)) is not None]
        self.candidates = _behind_head(decoder.config)
        self.behind: Callable[[Tensor], Tensor] | None = None

    def __call__(self, hidden: Float[Tensor, "row channel"]) -> Float[Tensor, "row token"]:
        """Logits that the model would give if these were its last layer's output, float32."""
        logits = self._logits(hidden)
        return logits if self.behind is None else self.behind(logits)

    def settle(self, hidden: Float[Tensor, "row channel"], logits: Float[Tensor, "row token"]) -> None:
        """Find what stands behind the head, from the last layer's output and the model's own logits of the same positions.

        Raises
        ------
        Unsupported : norm and head do not give the model's logits
        """
        raw, wanted = self._logits(hidden), logits.float()
        bound = TOLERANCE.get(self.head.weight.dtype, 1e-1) * wanted.abs().max().clamp(min=1)
        gaps = [float((behind(raw) - wanted).abs().max()) for behind in self.candidates]
        if min(gaps) > bound:
            raise Unsupported(
                f"layer_lens: final norm and output embeddings give logits that differ from the model's own by {min(gaps):.3g}: "
                "this model does something else behind its last layer, and its layers cannot be read."
            )
        self.behind = self.candidates[gaps.index(min(gaps))]

    def _logits(self, hidden: Tensor) -> Tensor:
        # the class's own forward: nnsight keeps a controller in the instance's place, which would take this for another pass of the model
        for module in (*self.modules, self.head):
            hidden = type(module).forward(module, hidden)
        return hidden.float()


def _behind_head(config: object) -> list[Callable[[Tensor], Tensor]]:
    """What a configuration may do to logits, and nothing: some models carry the option and do not apply it."""
    steps: list[Callable[[Tensor], Tensor]] = []
    if cap := getattr(config, "final_logit_softcapping", None):
        steps.append(lambda logits: torch.tanh(logits / cap) * cap)
    if divisor := getattr(config, "logits_scaling", None):
        steps.append(lambda logits: logits / divisor)
    if factor := getattr(config, "logit_scale", None):
        steps.append(lambda logits: logits * factor)
    return [lambda logits: logits, *steps]
