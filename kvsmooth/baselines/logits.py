"""Methods that change the logits of the next token: in the forward pass of the model itself, before whatever `generate` does with them.

So greedy decoding, sampling, beams and loops of one's own see the same logits, raw ones: penalties, temperature and plausibility of
`generate` come behind.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import torch
from jaxtyping import Float
from torch import Tensor

from kvsmooth.baselines.kept import Kept
from kvsmooth.baselines.site import Site
from kvsmooth.decoding.stream import Stream
from kvsmooth.errors import Unsupported


@dataclass(frozen=True)
class Pass:
    """A pass that gives logits of a next token.

    Attributes
    ----------
    stream, kept : of its batch, and what the method keeps of it
    kwargs : that the speaker's forward was called with
    asked : that the model's own forward was called with, which may be around the speaker
    decoding : it was fed one generated token; else it ends a prompt
    """

    stream: Stream
    kept: Kept
    kwargs: Mapping[str, Any]
    asked: Mapping[str, Any]
    decoding: bool


Change: TypeAlias = Callable[[Float[Tensor, "row token"], Pass], Float[Tensor, "row token"]]
"""New logits, float32, from those of the model."""


@dataclass(frozen=True)
class _Running:
    """A pass of the speaker that has begun, and what was followed before it."""

    kwargs: Mapping[str, Any]
    passed: Stream | None
    decoding: bool


@dataclass(frozen=True)
class LogitChange:
    """The stage of one block.

    Parameters
    ----------
    change : what is made of the logits
    neutral : nothing: logits stay as they are, to the bit
    counts : a change is counted as an act of the method; False where another stage of it counts
    beside : branches beside the text, of other methods or of guidance, are changed too
    """

    site: Site
    change: Change
    neutral: bool = False
    counts: bool = True
    beside: bool = False
    _running: list[_Running] = field(default_factory=list)
    _asked: dict[str, Any] = field(default_factory=dict)

    @contextmanager
    def __call__(self) -> Iterator[None]:
        """The model's logits are changed inside the block."""
        speaker = self.site.speaker
        hooks = (
            self.site.model.register_forward_pre_hook(self._ask, with_kwargs=True),
            speaker.register_forward_pre_hook(self._before, with_kwargs=True),
            speaker.register_forward_hook(self._after),
        )
        try:
            yield
        finally:
            for hook in hooks:
                hook.remove()
            self._running.clear()
            self._asked.clear()

    def _ask(self, model: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        if not self.site.following.branching:
            self._asked.clear()
            self._asked.update(kwargs)

    def _before(self, speaker: torch.nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        following = self.site.following
        given = {**({"input_ids": args[0]} if args else {}), **kwargs}
        self._running.append(_Running(given, following.passed, following.decoding))
        if not following.branching:
            following.passed = None

    @torch.no_grad()
    def _after(self, speaker: torch.nn.Module, args: object, output: Any) -> Any:
        running, following = self._running.pop(), self.site.following
        if following.branching:
            return output
        changed = self._changed(running.kwargs, output)
        if running.passed is not None and running.passed is not following.passed:
            # this was a pass within another one, of some other method's branch: the other one goes on
            following.passed, following.decoding = running.passed, running.decoding
        return changed

    def _changed(self, kwargs: Mapping[str, Any], output: Any) -> Any:
        following = self.site.following
        kept, stream = following.kept(), following.passed
        if kept is None or stream is None or not (following.decoding or stream.ready) or (stream.aside and not self.beside):
            return output
        if not isinstance(getattr(output, "logits", None), Tensor):
            raise Unsupported(
                f"{self.site.method} changes the logits of the model's output and this pass gives a tuple; leave return_dict out."
            )
        if self.counts:
            following.acted()
        if self.neutral:
            return output
        logits = output.logits.float()
        newest = logits[:, -1]
        changed = self.change(newest, Pass(stream, kept, kwargs, self._asked, following.decoding))
        if following.decoding:
            # total variation, 0 to 1: how much of the next token's distribution has moved
            kept.measure("moved", (newest.softmax(-1) - changed.softmax(-1)).abs().sum(-1) / 2)
        output.logits = torch.cat((logits[:, :-1], changed[:, None]), 1)
        return output
