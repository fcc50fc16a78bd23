"""The image-free pass: the same tokens, forced on the same prompt without its image; and how far two next-token distributions lie apart.

Source: prompt dependency, M3ID (arXiv 2403.14003).
"""

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from transformers import LogitsProcessorList

from kvsmooth.decoding.growing import growing
from kvsmooth.errors import Unsupported
from kvsmooth.spans import IMAGE, PADDING, token_groups
from probes.sequence import TYPES
from probes.tracing.tokens import Forcing, Listener
from probes.tracing.tracing import Tracing

Visitor = Callable[[int, Tensor], None]


def image_free(
    tracing: Tracing,
    inputs: Mapping[str, Any],
    captions: Sequence[Sequence[int]],
    end: int,
    visit: Visitor,
    arm: Any | None = None,
    **options: Any,
) -> None:
    """Force `captions` on the prompts without their images, in the same arm; `visit` sees (step, logits "row token") of every step.

    A method decides its rates anew: it sees the rows of this pass.

    Parameters
    ----------
    end : token behind the captions that are shorter than the longest
    options : of `generate`, as in the pass with the image; what concerns the choice of tokens has no effect

    Raises
    ------
    Unsupported : the model, or the arm, does not run without an image
    """
    model, steps = tracing.model, max(map(len, captions))
    reader = _Logits(visit)
    forcing = LogitsProcessorList([Forcing(captions, steps, end)])
    options = {"disable_compile": True, **options, "do_sample": False, "logits_processor": forcing, "max_new_tokens": steps}
    try:
        with contextlib.nullcontext() if arm is None else arm(model), tracing.listening(reader.see), growing(model, options):
            model.generate(**without_image(model, inputs), **options, streamer=Listener(reader))
    except Unsupported as error:  # such as a score of the image's keys alone
        raise Unsupported(f"dependency: without the image, {error} Or record without the recorder dependency.") from error
    except (TypeError, AttributeError) as error:  # pixels that are a required argument, or that the model reaches into
        raise Unsupported(
            f"dependency: {type(model).__name__} does not run without an image ({error}); record without the recorder dependency."
        ) from error
    if reader.step != steps:
        raise RuntimeError(f"the pass without the image had {reader.step} steps where the one with it had {steps}.")


def without_image(model: nn.Module, inputs: Mapping[str, Any]) -> dict[str, Tensor]:
    """Inputs of `generate` without the image's tokens and without pixels, padded on the left anew.

    Text around an image, such as the markers of its beginning and end, stays. What is by position (ids, mask, token types) is cut along;
    everything else describes the image and goes.

    Raises
    ------
    Unsupported : a prompt is nothing but an image
    """
    ids = inputs["input_ids"]
    groups = token_groups(model, ids, inputs.get("attention_mask"))
    kept = (groups != IMAGE) & (groups != PADDING)
    if not kept.any(1).all():
        raise Unsupported("dependency: a prompt holds nothing but its image; ask something beside it.")
    longest = int(kept.sum(1).max())
    pad = getattr(getattr(model, "generation_config", None), "pad_token_id", None)
    fills = {"input_ids": pad if isinstance(pad, int) else 0} | {name: 0 for name in TYPES if inputs.get(name) is not None}
    cut = {name: _left_padded(inputs[name], kept, longest, fill) for name, fill in fills.items()}
    return {**cut, "attention_mask": _left_padded(torch.ones_like(ids), kept, longest, 0)}


def divergences(
    one: Float[Tensor, "*row token"], other: Float[Tensor, "*row token"]
) -> tuple[Float[Tensor, "*row"], Float[Tensor, "*row"]]:
    """Jensen-Shannon divergence (nat, in [0, ln 2]) and Hellinger distance (in [0, 1]) of two distributions given as log-probabilities.

    JSD = (KL(p | m) + KL(q | m)) / 2 with m = (p + q) / 2; H = |sqrt p - sqrt q| / sqrt 2. In float64: both vanish where p = q.
    """
    one, other = one.double(), other.double()
    middle = torch.logaddexp(one, other) - math.log(2)
    jsd = (_kl(one, middle) + _kl(other, middle)) / 2
    hellinger = ((one / 2).exp() - (other / 2).exp()).square().sum(-1).div(2).sqrt()
    return jsd.clamp(0, math.log(2)), hellinger.clamp(0, 1)


def _kl(one: Tensor, other: Tensor) -> Tensor:
    terms = one.exp() * (one - other)
    return terms.masked_fill(one == -torch.inf, 0).sum(-1)  # 0 ln 0 is 0


def _left_padded(values: Int[Tensor, "row position"], kept: Tensor, longest: int, fill: int) -> Int[Tensor, "row shorter"]:
    rows = [row[mine] for row, mine in zip(values, kept, strict=True)]
    return torch.stack([torch.cat((row.new_full((longest - len(row),), fill), row)) for row in rows])


class _Logits:
    """Reads the logits that a token is chosen from, before any processor; a step is told when its token has been chosen.

    A prompt that is read in chunks is several forward passes and one step: the last of them counts. So is the step of a method with a
    branch beside the text.
    """

    def __init__(self, visit: Visitor):
        self.visit, self.step = visit, 0
        self.latest: Tensor | None = None

    def see(self, module: nn.Module, given: tuple, output: Any) -> None:
        """A forward hook."""
        self.latest = output.logits[:, -1]

    def predicted(self, tokens: Int[Tensor, " row"]) -> None:
        """The token of this step has been chosen."""
        self.visit(self.step, self.latest)
        self.step += 1
