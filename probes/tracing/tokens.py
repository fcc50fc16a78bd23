"""Tokens of a generation: recorded as they are chosen, forced where a caption is replayed, cut at each row's end."""

from collections.abc import Mapping, Sequence
from typing import Any, Protocol, runtime_checkable

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers import LogitsProcessor, LogitsProcessorList

from kvsmooth.decoding.growing import growing
from probes.command.values import whole
from probes.tracing.nonfinite import FiniteScores


@runtime_checkable
class Hearer(Protocol):
    """Whatever wants to know which tokens a step has chosen."""

    def predicted(self, tokens: Int[Tensor, " row"]) -> None:
        """The step before has chosen these tokens."""


class Listener:
    """A streamer of `generate`: passes on the tokens that each step has chosen, and not the prompt."""

    def __init__(self, hearer: Hearer):
        self.hearer = hearer

    def put(self, tokens: Tensor) -> None:
        """`generate` hands over the prompt as "row position" first, then one token a row."""
        if tokens.dim() == 1:
            self.hearer.predicted(tokens)

    def end(self) -> None:
        """Nothing is left to do."""


class TokenRecord:
    """Keeps the predicted tokens; stands among the recorders of a `StepCollector`, or behind a `Listener`."""

    needs: frozenset[str] = frozenset()

    def __init__(self):
        self.steps: list[Tensor] = []

    def step(self, step: Any) -> None:
        """Only the tokens matter here."""

    def prompt(self, layer: int, hidden: Tensor, first: int) -> None:
        """Only the tokens matter here."""

    def predicted(self, tokens: Int[Tensor, " row"]) -> None:
        """Keep the tokens of one step."""
        self.steps.append(tokens.cpu())

    @property
    def tokens(self) -> Int[Tensor, "row step"]:
        """All of them."""
        return torch.stack(self.steps, 1)


class Forcing(LogitsProcessor):
    """Leaves one token possible at each step: every row says its caption, then its end."""

    def __init__(self, captions: Sequence[Sequence[int]], steps: int, end: int):
        self.table = torch.tensor([[*caption[:steps], *[end] * (steps - len(caption))] for caption in captions])
        self.step = 0

    def __call__(self, input_ids: Int[Tensor, "row position"], scores: Float[Tensor, "row token"]) -> Float[Tensor, "row token"]:
        wanted = self.table[:, self.step, None].to(scores.device)
        self.step += 1
        return torch.full_like(scores, -torch.inf).scatter(1, wanted, 0.0)


def free_captions(model: Any, inputs: Mapping[str, Any], ends: Sequence[int], **options: Any) -> list[list[int]]:
    """What the model says by itself, unrecorded: tokens of each row up to and including its end; of `num_beams`, the best.

    Raises
    ------
    Unsupported : its scores are NaN
    """
    heard, sound = TokenRecord(), FiniteScores(model)
    options = {**options, "logits_processor": LogitsProcessorList([sound, *options.get("logits_processor", ())])}
    if options.get("num_beams", 1) > 1:
        # a search has no streamer: which text is the best shows at its end
        tokens = model.generate(**inputs, **options, disable_compile=True)[:, inputs["input_ids"].shape[1] :].cpu()
    else:
        with growing(model, options):
            model.generate(**inputs, **options, disable_compile=True, streamer=Listener(heard))
        tokens = heard.tokens
    sound.check()
    return [row[:length].tolist() for row, length in zip(tokens, lengths(tokens, ends), strict=True)]


def end_tokens(speaker: Any, options: Mapping[str, Any] | None = None) -> tuple[int, ...]:
    """Tokens that end a row when this module generates; none if it never ends by itself."""
    ends = (options or {}).get("eos_token_id", speaker.generation_config.eos_token_id)
    return () if ends is None else (ends,) if isinstance(ends, int) else tuple(ends)


def lengths(tokens: Int[Tensor, "row step"], ends: Sequence[int]) -> Int[Tensor, " row"]:
    """Steps of each row: up to and including its first end token, or all."""
    ended = torch.isin(tokens, torch.tensor(ends, dtype=tokens.dtype))
    return torch.where(ended.any(1), ended.int().argmax(1) + 1, tokens.shape[1])


def until_end(caption: Sequence[int], ends: Sequence[int], where: str = "") -> list[int]:
    """A caption up to and including its first end token; what is behind that is not looked at.

    Parameters
    ----------
    where : whose caption it is

    Raises
    ------
    BadInput : a token is no integer from 0 on
    """
    tokens: list[int] = []
    for token in caption:
        tokens.append(whole(token, "a token of a caption", where=where))
        if tokens[-1] in ends:
            break
    return tokens
