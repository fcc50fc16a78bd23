"""Which forward pass is prompt and which decodes: watched from outside, on the instances of one model, undone on exit."""

import inspect
import weakref
from collections.abc import Callable, Mapping
from typing import Any

import torch
from transformers import Cache

from kvsmooth.decoding.calls import Call, Calls, announce
from kvsmooth.decoding.refusals import refuse_pass, refuse_right_padding
from kvsmooth.decoding.stream import Stream
from kvsmooth.decoding.text import ends_of
from kvsmooth.errors import Unsupported


class Clock:
    """Tells, before each forward pass of the decoder, whether it decodes, and on which cache.

    Inside `generate` everything up to the end of the prompt is prompt, chunk by chunk, even a last chunk of one token. In a loop of
    one's own a pass is a decode step when it feeds one token to a cache that holds some; more tokens are a prompt, or the next turn's.

    Attributes
    ----------
    decoding : the present pass decodes
    stream, cache : those of the present pass; between passes the cache is None, so that none is kept alive
    decoded : any pass decoded
    tokens : ids of the newest tokens at the present decode step, where they are needed
    mask : the attention mask that the present pass was given, where it is needed
    on_stream : told of each stream before its first pass
    """

    def __init__(
        self,
        model: torch.nn.Module,
        decoder: Any,
        band: tuple[int, ...],
        needs_ids: bool = False,
        needs_tokens: bool = False,
        needs_mask: bool = False,
    ):
        self.model, self.decoder, self.band = model, decoder, band
        self.needs_ids, self.needs_tokens, self.needs_mask = needs_ids, needs_tokens, needs_mask
        self.decoding = self.decoded = False
        self.stream: Stream | None = None
        self.cache: Cache | None = None
        self.tokens: torch.Tensor | None = None
        self.mask: object = None
        self._streams: weakref.WeakKeyDictionary[Cache, Stream] = weakref.WeakKeyDictionary()
        self._unbound: Stream | None = None  # a prompt whose cache the decoder makes itself
        self._compiled: Stream | None = None  # begun by a compiled prompt, and so tied to no cache
        self._calls = Calls(self._returned)
        self._passes = 0
        self._ids: tuple[torch.Tensor, torch.Tensor | None] | None = None  # those of the present pass
        self.on_stream: Callable[[Stream], None] = lambda stream: None
        self._undo: list[Callable[[], None]] = []
        self._ends = ends_of(getattr(getattr(model, "generation_config", None), "eos_token_id", None))
        self._parameters = list(inspect.signature(type(decoder).forward).parameters)[1:]

    def __enter__(self) -> "Clock":
        self._undo.append(self.decoder.register_forward_pre_hook(self._before_pass, with_kwargs=True).remove)
        self._undo.append(self.decoder.register_forward_hook(self._after_pass).remove)
        self._undo.append(self.model.register_forward_pre_hook(self._read_ids, with_kwargs=True).remove)
        for module in self.model.modules():
            if callable(getattr(module, "generate", None)):
                self._undo.append(announce(module, self._calls))
        return self

    def __exit__(self, kind: type[BaseException] | None, *exception: object) -> None:
        while self._undo:
            self._undo.pop()()
        for cache in list(self._streams):
            vars(cache).pop("reorder_cache", None)
            vars(cache).pop("batch_select_indices", None)
        self.cache = self.tokens = self._unbound = self._compiled = self._ids = self.mask = None
        self._calls.end(clean=kind is None)

    @property
    def present(self) -> Stream:
        """The stream of the present pass."""
        if self.stream is None:
            raise RuntimeError("a clock is asked for its stream before the first pass.")
        return self.stream

    def _read_ids(self, model: object, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        if torch.compiler.is_compiling() and not (self.needs_ids or self.needs_tokens or self.needs_mask):
            return
        ids = kwargs.get("input_ids", args[0] if args else None)
        self.mask = mask = kwargs.get("attention_mask")
        self._ids = None if ids is None else (ids, mask)

    def _newest_tokens(self, ids: torch.Tensor | None) -> torch.Tensor | None:
        """Ids of the newest tokens, from the model's own call, else from the decoder's; None where only embeddings are fed."""
        ids = ids if self._ids is None else self._ids[0]
        return None if ids is None else ids[:, -1]

    def _before_pass(self, decoder: Any, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> None:
        given = {**dict(zip(self._parameters, args, strict=False)), **kwargs}
        tokens = given.get("input_ids")
        length = (given["inputs_embeds"] if tokens is None else tokens).shape[1]
        cache = given.get("past_key_values")
        if self.needs_mask and self.mask is None:
            self.mask = given.get("attention_mask")
        if torch.compiler.is_compiling():
            stream = self._compiled_stream(length)
        else:
            known = None if cache is None else self._streams.get(cache)
            if known is None or not known.decoded:
                refuse_pass(decoder, given, self.band)
            stream = self._stream_of(cache, length)
        self.decoding = stream.ready
        self.stream, self.cache = stream, cache
        if not self.decoding:
            stream.feed(length)
        else:
            if not (torch.compiler.is_compiling() or stream.decoded or self._calls):
                self._check_padding(given.get("attention_mask"), stream)
            if self.needs_tokens:
                self.tokens = self._newest_tokens(tokens)
                if self.tokens is None:
                    raise Unsupported(
                        "KVSmooth needs the ids of the tokens fed while decoding; got embeddings only: pass input_ids to the model."
                    )
            stream.decoded = self.decoded = True
            # counting would change a compiled graph's guards at every step, and a static cache needs no count
            if not torch.compiler.is_compiling():
                stream.feed(length)
                stream.text.feed(self._newest_tokens(tokens))
        if not torch.compiler.is_compiling():
            self._passes += 1
            stream.last = self._passes

    @staticmethod
    def _check_padding(mask: object, stream: Stream) -> None:
        """Look at the mask of the first decode step of a loop of one's own: `generate` is looked at when it is called."""
        if isinstance(mask, torch.Tensor) and mask.dim() == 2 and mask.shape[1] == stream.start + stream.fed + 1:
            refuse_right_padding(mask[:, :-1])

    def _after_pass(self, decoder: object, args: object, result: Any) -> None:
        self.cache = self._ids = self.mask = None
        if self._calls and self._calls[-1].stream is not None and not torch.compiler.is_compiling():
            self.stream = self._calls[-1].stream  # not a branch's: a compiled step asks for the latest
        if self._unbound is None or torch.compiler.is_compiling():
            return
        caches = (part for part in (result if isinstance(result, tuple) else result.values()) if isinstance(part, Cache))
        cache = next(caches, None)
        if cache is not None:
            self._begin(cache, self._unbound)
        self._unbound = None

    def _compiled_stream(self, length: int) -> Stream:
        """The stream of a compiled pass: that of the last prompt, since nothing here may depend on the identity of a cache."""
        if length > 1:
            if self._calls and self._calls[-1].guided:
                raise Unsupported("KVSmooth cannot tell the branches of guidance apart in a compiled model; run the model uncompiled.")
            self.stream = self._compiled = Stream(0, length)
            self.stream.text.ends = self._ends
            self.on_stream(self.stream)
        if self.stream is None:
            raise Unsupported("KVSmooth needs to see the prompt of a compiled model inside the `with`; run the prompt there too.")
        return self.stream

    def _stream_of(self, cache: Cache | None, length: int) -> Stream:
        call = self._calls[-1] if self._calls else None
        if self._compiled is not None and length == 1 and cache is not None and cache not in self._streams and cache.get_seq_length():
            # torch stops compiling in the middle of a text when it has compiled too often
            stream, self._compiled = self._compiled, None
            stream.fed = int(cache.get_seq_length()) - stream.start
            if call is not None:
                call.stream = stream
            return self._begin(cache, stream)
        if call is not None and call.stream is None:
            start = 0 if cache is None else int(cache.get_seq_length())
            call.stream = self._begin(cache, Stream(start, call.prompt or length))
            call.stream.ids = next(([outer.ids] for outer in self._calls if outer.ids is not None), [])
            call.stream.aside = any(outer.stream is not None for outer in self._calls[:-1])
            return call.stream
        known = None if cache is None else self._streams.get(cache)
        if call is not None and known is not None and known is call.stream:
            if known.ready and length > 1:
                raise Unsupported("KVSmooth follows one token a step and this decoding feeds several; switch assisted generation off.")
            return known
        stream = self._stream_of_loop(cache, known, length)
        stream.aside = stream.aside or call is not None
        return stream

    def _returned(self, call: Call, result: object) -> None:
        """Learn what a call of `generate` has written; a compiled one says on which stream by being the latest."""
        stream = call.stream or (self._compiled if self.stream is self._compiled else None)
        if stream is not None:
            call.tell(stream.text, result)

    def _stream_of_loop(self, cache: Cache | None, stream: Stream | None, length: int) -> Stream:
        held = 0 if cache is None else _held(cache, stream, length)
        if held == 0:
            stream = self._begin(cache, Stream(0, length))
        elif stream is None:
            stream = self._begin(cache, Stream(held, 0 if length == 1 else length))
        elif length > 1:
            if stream.decoded or held != stream.start + stream.fed:
                stream = self._begin(cache, Stream(held, length))
            else:
                stream.prompt, stream.ready = stream.fed + length, False
        elif held != stream.start + stream.fed:
            raise Unsupported(
                f"KVSmooth followed {stream.start + stream.fed} tokens and the cache holds {held}; "
                "after cropping a cache feed a prompt of two or more tokens, or begin a new `with`."
            )
        if self._ids is not None and length > 1:
            stream.ids.append(self._ids)
        return stream

    def _begin(self, cache: Cache | None, stream: Stream) -> Stream:
        """Tie a stream to its cache: beams that are reordered, rows that leave the batch."""
        if stream.state is None:
            stream.began = self._passes
            stream.text.ends = self._calls[-1].ends if self._calls else self._ends
            self.on_stream(stream)
        if cache is None:
            self._unbound = stream
            return stream
        own = weakref.ref(cache)  # a function on the cache that held the cache would keep every cache alive until a collection

        def reorder_cache(beam_idx: Any) -> None:
            present = own()
            if present is not None:
                type(present).reorder_cache(present, beam_idx)
            stream.reorder(beam_idx)

        def batch_select_indices(indices: Any) -> None:
            present = own()
            if present is not None:
                type(present).batch_select_indices(present, indices)
            stream.keep(indices)

        vars(cache).update(reorder_cache=reorder_cache, batch_select_indices=batch_select_indices)
        self._streams[cache] = stream
        return stream


def _held(cache: Cache, stream: Stream | None, length: int) -> int:
    """Tokens that a cache holds; a static cache, whose length is a tensor on the device, is asked only where it is not known."""
    held = cache.get_seq_length() if stream is None or length > 1 or not cache.is_compileable else stream.start + stream.fed
    return int(held)
