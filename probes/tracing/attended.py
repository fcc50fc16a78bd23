"""What attention is computed from under a method that changes it between the model and its attention function.

The model calls the method, and the method calls the function that it found, with a mask or queries of its own. Rows are those of this
inner call; what the model handed to the method is the plain row.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from kvsmooth import Unsupported
from kvsmooth.baselines.method import Method
from kvsmooth.decoding.attention import PREFIX, innermost_decoder, owned_attention
from probes.tracing.rows import Scored

REWEIGHTED = ("farsight", "sink_redistribution")
"""Methods that change weights behind the softmax: no scores say what their rows are."""
METHODS_OWN = f"{PREFIX}method_"
"""How the attention is called that a method has taken over (`kvsmooth.baselines.door`)."""


@dataclass
class Attended:
    """The latest call of the innermost attention function, by layer.

    Parameters
    ----------
    method : who stands between, as it is called
    """

    method: str
    _calls: dict[int, tuple[Scored, Tensor]] = field(default_factory=dict)

    def on(self, base: Callable[..., Any]) -> Callable[..., Any]:
        """The attention function `base`, heard."""

        def attend(module: Any, query: Tensor, key: Tensor, value: Tensor, attention_mask: Tensor | None, **kwargs: Any) -> Any:
            result = base(module, query, key, value, attention_mask, **kwargs)
            scored = Scored(query, key, attention_mask, kwargs.get("scaling"), kwargs.get("softcap"))
            self._calls[int(module.layer_idx)] = scored, result[0]
            return result

        return attend

    def take(self, layer: int, output: Tensor) -> Scored:
        """What the output of a layer's attention, "row query head channel", was computed from.

        Raises
        ------
        Unsupported : the method changed it once more behind the softmax: no row says what it is made of
        """
        scored, own = self._calls.pop(layer)
        if not torch.equal(own[:, -1], output[:, -1]):
            raise Unsupported(_unknown(self.method))
        return scored


@dataclass(frozen=True)
class Opened:
    """An arm inside its block.

    Attributes
    ----------
    run : what it yields; None without an arm
    attended : whom to ask what rows are computed from; None where the model's own calls say it
    late : rows are known only when attention has been done
    """

    run: Any = None
    attended: Attended | None = None
    late: bool = False


@contextmanager
def opened(model: torch.nn.Module, arm: Any, rows: bool) -> Iterator[Opened]:
    """An arm's block.

    Parameters
    ----------
    arm : None, or a method: called with the model it gives a context manager that yields its run
    rows : rows are recorded

    Raises
    ------
    Unsupported : rows are recorded, and under this arm they are not known
    """
    if arm is None:
        yield Opened()
    elif not rows or not isinstance(arm, Method) or arm.neutral:
        with arm(model) as run:
            if rows and not isinstance(arm, Method) and innermost_decoder(model).config._attn_implementation.startswith(METHODS_OWN):
                raise Unsupported(_unknown("a method of kvsmooth.baselines that another arm opens"))
            yield Opened(run, late=getattr(arm, "timing", "after") == "recompute")
    elif arm.name in REWEIGHTED:
        raise Unsupported(_unknown(arm.name))
    else:
        attended = Attended(arm.name)
        with owned_attention(model, innermost_decoder(model), attended.on), arm(model) as run:
            yield Opened(run, attended, late=True)


def _unknown(method: str) -> str:
    return f"attention rows under {method} are not known; record it without the recorders of rows (entropy, mass, received)."
