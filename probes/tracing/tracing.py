"""Reading a model while it generates, with nnsight. The only file that knows nnsight.

The places that are read are found once a model: the decoder's layers through `get_decoder()`, and in each the call of the attention
function, which is the last operation that nnsight labels `attention_interface_<n>` (it numbers assignments too).
"""

import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn

from kvsmooth import Unsupported
from kvsmooth.decoding.attention import innermost_decoder
from kvsmooth.decoding.growing import growing
from kvsmooth.decoding.refusals import refuse_training
from probes.tracing.attended import Attended
from probes.tracing.collector import StepCollector
from probes.tracing.rows import Scored, Substitution
from probes.tracing.tokens import Listener

CALL = re.compile(r"attention_interface_(\d+)")


class Tracing:
    """A model with the places that are read in it; made once a model, used for any number of generations.

    nnsight replaces each module's `forward` by a controller for good. Outside a trace the model computes what it did before.

    Parameters
    ----------
    model : a Hugging Face model with a decoder over a KV cache, ready to generate

    Attributes
    ----------
    layers : numbers of the decoder's layers
    speaker : the module whose `generate` loop runs: the model, or its language model where the model delegates to that

    Raises
    ------
    Unsupported : the model has no decoder, or its attention does not go through transformers' attention interface
    """

    def __init__(self, model: Any):
        from nnsight import NNsight

        paths = {id(module): path for path, module in model.named_modules()}
        decoder = _decoder(model, paths)
        head = model.get_output_embeddings()
        if head is None or id(head) not in paths:
            raise Unsupported(f"{type(model).__name__} has no output embeddings of its own: it cannot be recorded while it generates.")
        self.model = model
        with warnings.catch_warnings():
            # a Q-Former names a module "output"; nothing is read there
            warnings.filterwarnings("ignore", message=".*which nnsight already serves on every module.*")
            self._wrapped = NNsight(model)
        base = paths[id(decoder)]
        prefix = f"{base}." if base else ""
        self._decoder = self._wrapped.get(base) if base else self._wrapped
        self._layers = [self._wrapped.get(f"{prefix}layers.{i}") for i in range(len(decoder.layers))]
        self._calls = [_attention_call(layer.self_attn) for layer in self._layers]
        # the module that owns the head returns the logits that `generate` reads, after any scaling or cap
        owner = paths[id(head)].rpartition(".")[0]
        self._speaker = self._wrapped.get(owner) if owner else self._wrapped
        self.speaker = self._speaker._module
        self.layers = tuple(range(len(decoder.layers)))

    @property
    def call_labels(self) -> tuple[str, ...]:
        """nnsight's names of the operations that are read, one a layer."""
        return tuple(call.name for call in self._calls)

    def generate(
        self,
        inputs: dict[str, Any],
        collector: StepCollector,
        patch: Substitution | None = None,
        attended: Attended | None = None,
        **options: Any,
    ) -> Tensor:
        """Generate as `model.generate(**inputs, **options)` does, and hand every forward pass to `collector`.

        Parameters
        ----------
        patch : at every step after the prompt, puts the attention outputs that it gives in the place of the model's own
        attended : says what rows are computed from, where a method stands between the model and its attention function

        Returns
        -------
        what `generate` returns: token ids, "row position"

        Raises
        ------
        OutOfStep : a read belongs to another step or layer than it is taken for
        """
        import nnsight

        refuse_training(self.model)
        steps = _Steps(collector)
        options = {"disable_compile": True, **options, "streamer": Listener(steps)}
        listening = self.listening(steps.said) if collector.wants_logits else nullcontext()
        with warnings.catch_warnings(), listening, growing(self.model, options):
            # the loop is open because the model decides when it ends
            warnings.filterwarnings("ignore", message=".*was never reached: the loop asked for a step.*")
            with self._wrapped.trace(fn="generate") as tracer:
                with tracer.invoke(**inputs, **options):
                    for _ in tracer.iter[:]:  # from 0, always: a later start binds reads to other steps
                        self._read_pass(collector, patch, attended)
                with tracer.invoke():  # what follows an open loop never runs, so the result has a worker of its own
                    tokens = nnsight.save(tracer.result)
        return tokens

    @contextmanager
    def listening(self, hook: Callable[..., None]) -> Iterator[None]:
        """A forward hook on the module that gives the logits: behind those of methods, where their blocks are open by then."""
        handle = self.speaker.register_forward_hook(hook)
        try:
            yield
        finally:
            handle.remove()

    def whole(self, inputs: dict[str, Any], visit: Callable[..., None]) -> None:
        """One forward pass over all of `inputs`, as a prompt: `visit` is called in every layer, in order, before its attention.

        It is `generate` for one token that is thrown away, so that positions, masks and token types are those of a generation. There is
        no cache, so that nothing of a layer outlives it.

        Parameters
        ----------
        visit : called with (layer, hidden, query, key, value, mask, scaling, softcap, causal); causal: without a mask, a query sees the
            keys up to itself
        """
        refuse_training(self.model)
        options = {"max_new_tokens": 1, "min_new_tokens": 0, "do_sample": False, "use_cache": False, "disable_compile": True}
        with self._wrapped.trace(fn="generate") as tracer:  # noqa: SIM117  nnsight takes the block as it is written
            with tracer.invoke(**inputs, **options):
                self._visit_layers(visit)

    def _visit_layers(self, visit: Callable[..., None]) -> None:
        for i, (layer, call) in enumerate(zip(self._layers, self._calls, strict=True)):
            hidden = layer.input
            query, key, value, mask, options, module = _given(i, call.inputs)
            causal = options.get("is_causal")
            causal = getattr(module, "is_causal", True) if causal is None else causal
            visit(i, hidden, query, key, value, mask, options.get("scaling"), options.get("softcap"), bool(causal))

    def _read_pass(self, collector: StepCollector, patch: Substitution | None, attended: Attended | None) -> None:
        """One forward pass, read strictly in the order in which it is computed: a read backwards would bind to the next pass."""
        cache = _cache(self._decoder.inputs)
        if not collector.follows(cache):
            return  # the second pass of a method, beside the text
        if attended is not None:
            attended.forget()
        collector.begin(int(cache.get_seq_length()))
        for i, (layer, call) in enumerate(zip(self._layers, self._calls, strict=True)):
            query, key, value, mask, options, _ = _given(i, call.inputs)
            scored = Scored(query, key, mask, options.get("scaling"), options.get("softcap"))
            collector.attention(i, int(cache.get_seq_length(i)), value=value, **vars(scored))
            # a method that recomputes has smoothed when the call returns; another may smooth this very tensor in a later layer's call,
            # or in this one, and the output that is due is that of the states as they were
            if collector.recompute:
                made = _tensor(call.output)
                if attended is not None:
                    scored = attended.take(i, made)
                collector.attended(None if attended is None else scored)
            if patch is not None and collector.steps:
                wanted = patch.output(i, collector.steps, value=value, **vars(scored))
                if wanted is not None:
                    call.output = (wanted, None)
            collector.output(i, _tensor(layer.output))
        # read here they are the model's own: methods change them by hooks, which come behind
        collector.passed(self._speaker.output.logits if collector.wants_own_logits else None)


class _Steps:
    """Ends a step when its token is chosen: only then have methods that change logits had their turn, and passes of their own.

    Parameters
    ----------
    collector : that is told
    """

    def __init__(self, collector: StepCollector):
        self.collector = collector
        self.logits: Tensor | None = None

    def said(self, speaker: nn.Module, given: tuple, output: Any) -> None:
        """A hook behind all others: the last output before a token is chosen is the text's."""
        self.logits = output.logits

    def predicted(self, tokens: Tensor) -> None:
        """The step has chosen these tokens."""
        self.collector.end(self.logits)
        self.collector.predicted(tokens)
        self.logits = None


def _decoder(model: nn.Module, paths: dict[int, str]) -> Any:
    decoder = innermost_decoder(model)
    if decoder is None or id(decoder) not in paths or any(not hasattr(layer, "self_attn") for layer in decoder.layers):
        raise Unsupported(
            f"{type(model).__name__} has no decoder of self-attention layers (get_decoder().layers[i].self_attn): it cannot be recorded."
        )
    if getattr(model.config, "is_encoder_decoder", False):
        raise Unsupported(f"{type(model).__name__} is an encoder-decoder: its prompt is not in the cache that is recorded.")
    return decoder


def _attention_call(attention: Any) -> Any:
    """The operation that calls the attention function: the last of its labels."""
    labels = [name for name in attention.source.names if CALL.fullmatch(name)]
    if not labels:
        raise Unsupported(
            f"{attention.path} does not call transformers' attention interface (operations: {', '.join(attention.source.names)})."
        )
    return getattr(attention.source, max(labels, key=lambda name: int(CALL.fullmatch(name)[1])))


def _given(layer: int, inputs: tuple) -> tuple:
    """What the attention function of a layer is given: query, key, value, mask, its options, and the module that calls it."""
    given, options = inputs
    module, query, key, value, *rest = given
    mask = rest[0] if rest else options.get("attention_mask")
    if (extra := options.get("s_aux")) is not None or (extra := options.get("position_bias")) is not None:
        raise Unsupported(f"layer {layer} attends with learned sink logits or a position bias {tuple(extra.shape)}: not recorded.")
    return query, key, value, mask, options, module


def _cache(call: tuple) -> Any:
    given, named = call
    cache = named.get("past_key_values")
    if cache is None:
        cache = next((value for value in given if hasattr(value, "get_seq_length")), None)
    if cache is None:
        raise Unsupported("use_cache=False: recording reads the newest position of a KV cache; generate with one.")
    return cache


def _tensor(output: Any) -> Tensor:
    return output if isinstance(output, torch.Tensor) else output[0]
