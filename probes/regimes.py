"""How the tokens come about while recording: free running, or the replay of a given caption."""

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Int
from torch import Tensor
from transformers import LogitsProcessorList

from kvsmooth import Unsupported
from kvsmooth.decoding.refusals import refuse_training
from kvsmooth.spans import IMAGE, token_groups
from probes.command.cli import BadInput, first_sentence
from probes.command.values import whole, whole_tokens
from probes.dependency import image_free
from probes.objects import ObjectVocabulary
from probes.recorders import DEFAULT_RECORDERS, RECORDERS
from probes.recorders.drift import Drift
from probes.tracing.attended import opened
from probes.tracing.collector import StepCollector
from probes.tracing.nonfinite import FiniteScores
from probes.tracing.steps import GenerationSetting
from probes.tracing.tokens import Forcing, TokenRecord, end_tokens, lengths, until_end
from probes.tracing.tracing import Tracing

REGIMES = ("free", "replay")


@dataclass(frozen=True)
class Trace:
    """What one generation of a batch left behind.

    Attributes
    ----------
    values : by variable of the schema, "step layer row ..." or "step row", float32 on the CPU
    tokens : the predicted tokens, -1 after a row's end
    n_steps : steps of each row, the one that predicted its end included
    fed : the last prompt token of each row
    prompt_lengths : positions of each row's prompt without padding
    layers : numbers of the layer axis
    sink_channels : by layer, what masked drift left out
    """

    values: dict[str, Tensor]
    tokens: Int[Tensor, "row step"]
    n_steps: Int[Tensor, " row"]
    fed: Int[Tensor, " row"]
    prompt_lengths: Int[Tensor, " row"]
    layers: tuple[int, ...]
    sink_channels: tuple[tuple[int, ...], ...]


def record_inputs(
    model: Tracing | torch.nn.Module,
    inputs: Mapping[str, Any],
    arm: Any | None = None,
    *,
    captions: Sequence[Sequence[int]] | None = None,
    recorders: Sequence[str] = DEFAULT_RECORDERS,
    max_new_tokens: int = 160,
    sink_channels: tuple[tuple[int, ...], ...] | None = None,
    objects: ObjectVocabulary | None = None,
    **options: Any,
) -> Trace:
    """Record one generation of ready inputs; the model needs no processor.

    Parameters
    ----------
    model : the model, or its `Tracing` where it is used more than once
    inputs : what `model.generate` takes: `input_ids` "row position", left-padded, `attention_mask`, pixels
    arm : None, or a method: called with the model it gives a context manager that yields its run
    captions : replay: the tokens that each row is made to predict, up to its first end token, `max_new_tokens` at most; None lets the arm
        choose (free running)
    recorders : names in `RECORDERS`
    max_new_tokens : bound of the steps
    sink_channels : by layer; found on the prompts of this very batch if None
    objects : what the recorders "lens" and "layer_lens" look for
    options : further options of `generate`, one by one; beams, assistants and a whole `generation_config` are refused

    Raises
    ------
    Unsupported : the model, the cache or the way of decoding cannot be recorded, or the model's scores are NaN
    BadInput : a caption is empty, longer than `max_new_tokens`, or holds what is no token; or there is not one a row; or the prompts do
        not hold as many image tokens as the model makes of the image
    OutOfStep : a read would have been booked to the wrong step
    """
    tracing = model if isinstance(model, Tracing) else Tracing(model)
    refuse(tracing.speaker, options)
    max_new_tokens = whole(max_new_tokens, "record_inputs.max_new_tokens", least=1)
    ends = end_tokens(tracing.speaker, options)
    ids = inputs["input_ids"]
    mask = inputs.get("attention_mask")
    if captions is not None:
        if len(captions) != len(ids):
            raise BadInput(f"record_inputs.captions must hold one caption a row; got {len(captions)} for {len(ids)} rows.")
        captions = [replayable(tracing.model, caption, ends, max_new_tokens, f"row {row}") for row, caption in enumerate(captions)]
        max_new_tokens = max(map(len, captions))
        # the same call as in free running: only the choice is taken away
        options |= {"logits_processor": [Forcing(captions, max_new_tokens, ends[0] if ends else 0)], "do_sample": False}
    sound = FiniteScores(tracing.model)
    options["logits_processor"] = LogitsProcessorList([sound, *options.get("logits_processor", ())])
    setting = GenerationSetting(
        token_groups(tracing.model, ids, mask), tracing.layers, max_new_tokens, sink_channels, objects, tracing.speaker
    )
    chosen = [RECORDERS[name](setting) for name in recorders]
    heard = TokenRecord()
    with _image_tokens_told(), opened(tracing.model, arm, rows=any("row" in recorder.needs for recorder in chosen)) as block:
        collector = StepCollector(setting, [*chosen, heard], recompute=block.late)
        tracing.generate(dict(inputs), collector, attended=block.attended, max_new_tokens=max_new_tokens, **options)
    sound.check()
    predicted = heard.tokens
    if predicted.shape[1] != collector.steps:
        raise RuntimeError(f"{predicted.shape[1]} tokens were generated in {collector.steps} recorded steps.")
    n_steps = lengths(predicted, ends) if captions is None else torch.tensor([len(caption) for caption in captions])
    if captions is not None and any(row[: len(caption)].tolist() != caption for row, caption in zip(predicted, captions, strict=True)):
        raise RuntimeError("the model did not say the captions that were forced: a stopping criterion ended them early.")
    said = [row[:length].tolist() for row, length in zip(predicted, n_steps, strict=True)]
    asking = [recorder for recorder in chosen if recorder.image_free]
    if asking and bool((setting.groups == IMAGE).any()):
        _image_free(asking, tracing, inputs, said, ends[0] if ends else 0, arm, options)
    values: dict[str, Tensor] = {}
    for recorder in chosen:
        recorder.ended(n_steps)
        values |= recorder.finish(block.run, collector.steps)
    beyond = torch.arange(predicted.shape[1]) >= n_steps[:, None]
    return Trace(
        values=values,
        tokens=predicted.masked_fill(beyond, -1),
        n_steps=n_steps,
        fed=ids[:, -1].cpu(),
        prompt_lengths=(torch.full((len(ids),), ids.shape[1]) if mask is None else mask.sum(1)).cpu(),
        layers=tracing.layers,
        sink_channels=next((r.sink_channels for r in chosen if isinstance(r, Drift)), ()),
    )


@contextlib.contextmanager
def _image_tokens_told() -> Iterator[None]:
    """Say in one line what transformers' own check of a prompt against its image finds."""
    try:
        yield
    except ValueError as error:
        if "image tokens do not match" not in str(error):
            raise
        raise BadInput(
            f"the model's processor gives an image another number of tokens than the model does ({first_sentence(error)}); mend "
            "processor_config.json, such as patch_size or image_seq_len."
        ) from error


def _image_free(asking, tracing, inputs, captions, end, arm, options) -> None:
    """Show the recorders that ask for it the same tokens without the image."""

    def visit(number: int, logits: Tensor) -> None:
        for recorder in asking:
            recorder.without_image(number, logits)

    image_free(tracing, inputs, captions, end, visit, arm, **options)


def replayable(model: Any, caption: Sequence[int], ends: Sequence[int], longest: int, where: str) -> list[int]:
    """The tokens of a caption up to its first end token, as a replay forces them.

    Parameters
    ----------
    longest : tokens
    where : whose caption it is

    Raises
    ------
    BadInput : there is none, more than `longest`, or what is no token of the model
    """
    vocabulary = len(model.get_input_embeddings().weight)
    tokens = whole_tokens(until_end(caption, ends, where), "a token of a caption", vocabulary - 1, where)
    if not tokens:
        raise BadInput(f"record: captions must hold at least one token; that of {where} is empty.")
    if len(tokens) > longest:
        told = f"record: the caption of {where} has {len(tokens)} tokens and max_new_tokens is {longest}"
        raise BadInput(f"{told}; raise that, or shorten the caption.")
    return tokens


def refuse(model: torch.nn.Module, options: Mapping[str, Any]) -> None:
    """Raise for ways of decoding in which a row is not one sequence, or a step not one token, for options given as one object, and for a
    model in train mode.

    Raises
    ------
    Unsupported
    """
    refuse_training(model)
    # its end tokens, bounds and beams would count beside those of the recording itself, and only some of them could be looked up
    if options.get("generation_config") is not None:
        raise Unsupported("generation_config: recording takes its options one by one, such as eos_token_id=2 or do_sample=True.")
    config = getattr(model, "generation_config", None)
    one = {"num_beams": 1, "num_return_sequences": 1, "guidance_scale": 1, "assistant_model": None, "prompt_lookup_num_tokens": None}
    for name, neutral in one.items():
        value = options.get(name, getattr(config, name, None))
        if value is not None and value != neutral:
            shown = value if isinstance(value, int | float) else type(value).__name__
            raise Unsupported(f"{name}={shown}: recording follows one sequence a row and one token a step; generate with {name}={neutral}.")
