"""Follows a model's passes for one method: `kvsmooth.decoding.clock`, with the method's own refusals, and branches left out."""

import functools
import inspect
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TypeAlias

import torch
from transformers import Cache

from kvsmooth.baselines.errors import speaking_for
from kvsmooth.baselines.kept import PROMPT, Kept
from kvsmooth.baselines.receipts import Receipts
from kvsmooth.decoding.clock import Clock
from kvsmooth.decoding.refusals import option, refuse_generation
from kvsmooth.decoding.stream import Stream
from kvsmooth.errors import Unsupported

_BRANCHING: "weakref.WeakSet[torch.nn.Module]" = weakref.WeakSet()
"""Models on which some method's branch runs at this moment."""

_OPEN: "weakref.WeakKeyDictionary[torch.nn.Module, list[Following]]" = weakref.WeakKeyDictionary()
"""By model, who follows it."""

_FOLLOWED = {"reorder_cache": "reorder", "batch_select_indices": "keep"}
"""What happens to a cache, and what a stream is told then."""


Refuse: TypeAlias = Callable[[torch.nn.Module, Mapping[str, Any]], None]
"""Refuses a call of `generate`, from its module and arguments."""


class Following(Clock):
    """Tells of each pass whether it decodes, and what the method keeps of its batch.

    Parameters
    ----------
    name : of the method, in whose name calls and passes are refused
    refuse : refuses what the method itself cannot serve

    Attributes
    ----------
    branching : the present pass is of a branch of this very method, which nothing here counts
    passed : the stream of the latest pass that counts
    given : by running call of `generate`, the outermost first, its arguments
    """

    def __init__(self, name: str, refuse: Refuse, model: torch.nn.Module, decoder: Any, receipts: Receipts):
        super().__init__(model, decoder, ())
        self.name, self.refuse, self.receipts = name, refuse, receipts
        self.branching = False
        self.passed: Stream | None = None
        self.given: list[dict[str, Any]] = []
        self.on_stream = self._begin_kept

    def __enter__(self) -> "Following":
        super().__enter__()
        for module in self.model.modules():
            if callable(getattr(module, "generate", None)):
                self._undo.append(self._announce(module))
        _OPEN.setdefault(self.model, []).append(self)
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        self.passed, self.given = None, []
        _OPEN[self.model].remove(self)
        with speaking_for(self.name):
            super().__exit__(kind, *exception)

    def others(self) -> list[str]:
        """Names of other methods that are open on this model."""
        return [other.name for other in _OPEN.get(self.model, []) if other is not self]

    @contextmanager
    def branch(self) -> Iterator[None]:
        """Passes in here are of a branch beside the text."""
        self.branching = True
        _BRANCHING.add(self.model)
        try:
            yield
        finally:
            self.branching = False
            _BRANCHING.discard(self.model)

    def kept(self) -> Kept | None:
        """What is kept of the batch of the present pass; None where the method has nothing to do in it."""
        if self.branching or self.passed is None:
            return None
        kept = self.passed.state
        return kept if isinstance(kept, Kept) else None

    def acted(self) -> None:
        """Count that the method acted in the present pass: on a decode step, or at the end of a prompt."""
        kept = self.kept()
        if kept is not None and self.decoding:
            kept.steps += 1
        elif kept is not None and self.passed is not None and self.passed.ready:
            kept.prompts += 1

    def _begin_kept(self, stream: Stream) -> None:
        kept = Kept()
        stream.state = kept  # type: ignore[assignment]  # it asks of its state to follow beams and rows that leave, no more
        self.receipts.begin(stream, kept)

    def _read_ids(self, model: object, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        if not self.branching:
            super()._read_ids(model, args, kwargs)

    def _before_pass(self, decoder: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        if self.branching:
            return
        if torch.compiler.is_compiling():
            raise Unsupported(f"{self.name} cannot be followed in a compiled model; run the model uncompiled.")
        if kwargs.get("past_key_values") is None and (kwargs.get("use_cache") is False or not decoder.config.use_cache):
            raise Unsupported(f"{self.name} acts while a KV cache grows and this pass keeps none; pass use_cache=True.")
        with speaking_for(self.name):
            super()._before_pass(decoder, args, kwargs)
        self.passed = self.present
        self.passed.aside = self.passed.aside or self.model in _BRANCHING
        if isinstance(kept := self.passed.state, Kept):
            kept.step = self.passed.fed - self.passed.prompt - 1 if self.decoding else PROMPT
            kept.present = self.passed.text.rows

    def _after_pass(self, decoder: object, args: object, result: Any) -> None:
        if self.branching:
            return
        cache, stream = self.cache, self.passed
        super()._after_pass(decoder, args, result)
        if cache is not None and stream is not None:
            _follow(cache, stream)  # a method that was opened later may have tied the cache to itself alone

    def _begin(self, cache: Cache | None, stream: Stream) -> Stream:
        """Tie a stream to its cache, beside the streams of other methods that follow it."""
        others = {} if cache is None else {name: vars(cache)[name] for name in _FOLLOWED if name in vars(cache)}
        super()._begin(cache, stream)
        if cache is not None:
            if others:
                vars(cache).update(others)
            else:
                for name in _FOLLOWED:
                    vars(cache)[name].streams = (stream,)
            _follow(cache, stream)
        return stream

    def _announce(self, module: Any) -> Callable[[], None]:
        """Refuse calls of `module.generate` in the method's name, and keep their arguments while they run."""
        generate, own = module.generate, vars(module).get("generate")
        signature = inspect.signature(generate)

        @functools.wraps(generate)
        def announced(*args: Any, **kwargs: Any) -> Any:
            given = dict(signature.bind_partial(*args, **kwargs).arguments)
            for parameter in signature.parameters.values():
                if parameter.kind is parameter.VAR_KEYWORD:
                    given |= given.pop(parameter.name, {})
            self._refuse(module, given)
            self.given.append(given)
            try:
                return generate(*args, **kwargs)
            finally:
                self.given.pop()

        module.generate = announced
        return functools.partial(setattr, module, "generate", own) if own else functools.partial(delattr, module, "generate")

    def _refuse(self, module: torch.nn.Module, given: Mapping[str, Any]) -> None:
        name, mask = self.name, given.get("attention_mask")
        if option(module, given, "use_cache") is False:
            raise Unsupported(f"{name} acts while a KV cache grows and use_cache=False keeps none; leave use_cache out.")
        if isinstance(mask, torch.Tensor) and mask.dim() == 2 and mask.shape[1] and not mask[:, -1].all():
            raise Unsupported(
                f'{name} changes what follows the prompt\'s last token, which is padding in a row; pad with padding_side="left".'
            )
        with speaking_for(name):
            refuse_generation(module, given)
        self.refuse(module, given)


def _follow(cache: Cache, stream: Stream) -> None:
    """Have a stream told of what happens to its cache, besides whoever is told of it already."""
    for name, told in _FOLLOWED.items():
        present = vars(cache).get(name)
        streams = getattr(present, "streams", ())
        if present is None or stream in streams:
            continue
        vars(cache)[name] = _told(present, getattr(stream, told), (*streams, stream))


def _told(present: Callable[[Any], None], tell: Callable[[Any], None], streams: tuple[Stream, ...]) -> Callable[[Any], None]:
    def told(rows: Any) -> None:
        present(rows)
        tell(rows)

    vars(told)["streams"] = streams
    return told
