"""What attention is computed from under a method that changes it between the model and its attention function.

The model calls the method, and the method calls the function that it found, with a mask or queries of its own. Rows are those of this
inner call; what the model handed to the method is the plain row.
"""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from transformers.modeling_utils import ALL_ATTENTION_FUNCTIONS

from kvsmooth import Unsupported
from kvsmooth.baselines.errors import speaking_for
from kvsmooth.baselines.method import Method
from kvsmooth.decoding.attention import PREFIX, innermost_decoder, owned_attention
from kvsmooth.decoding.stage import SmoothingAttention
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
        # NaN is what it was: it is told where tokens are chosen
        if not torch.equal(own[:, -1].nan_to_num(), output[:, -1].nan_to_num()):
            raise Unsupported(_unknown(self.method))
        return scored

    def forget(self) -> None:
        """Let go of calls that nobody asked for: those of a method's second pass."""
        self._calls.clear()


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
    Unsupported : rows are recorded, and under this arm, or a method that is open around it, they are not known; or it searches with beams
    """
    if isinstance(arm, Method) and arm.generation.get("num_beams", 1) != 1:
        raise Unsupported(f"{arm.name} searches with beams, and recording follows one sequence a row; record another method.")
    if rows and _owner(model).startswith(METHODS_OWN):
        raise Unsupported(_unknown("a method of kvsmooth.baselines that is open already", "leave its `with` and name it as the arm"))
    if arm is None:
        yield Opened(late=_recomputes(model))
    elif not rows or not isinstance(arm, Method) or arm.neutral:
        with arm(model) as run:
            if rows and not isinstance(arm, Method) and _owner(model).startswith(METHODS_OWN):
                raise Unsupported(_unknown("a method of kvsmooth.baselines that another arm opens"))
            yield Opened(run, late=_recomputes(model) or getattr(arm, "timing", "after") == "recompute")
    elif arm.name in REWEIGHTED:
        raise Unsupported(_unknown(arm.name))
    elif _owner(model).startswith(PREFIX):
        raise Unsupported(_unknown(f"{arm.name} inside KVSmooth", "leave its `with`"))
    else:
        attended = Attended(arm.name)
        with ExitStack() as stack:
            with speaking_for(arm.name):
                stack.enter_context(owned_attention(model, innermost_decoder(model), attended.on))
            run = stack.enter_context(arm(model))
            yield Opened(run, attended, late=True)
            attended.forget()


def _owner(model: torch.nn.Module) -> str:
    """What the attention of the text is called at this moment."""
    decoder = innermost_decoder(model)
    return "" if decoder is None else decoder.config._attn_implementation or ""


def _recomputes(model: torch.nn.Module) -> bool:
    """Whether a KVSmooth is open, by whomever, that smooths before attention is computed."""
    stage = getattr(ALL_ATTENTION_FUNCTIONS.get(_owner(model)), "__self__", None)
    return isinstance(stage, SmoothingAttention) and stage.method.timing == "recompute"


def _unknown(method: str, way_out: str = "") -> str:
    ways = ", or ".join(filter(None, (way_out, "record without the recorders of rows (entropy, mass, received)")))
    return f"attention rows under {method} are not known; {ways}."
