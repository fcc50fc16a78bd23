"""`KVSmooth`: the options of the method, and the `with` block in which a model is smoothed."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch

from kvsmooth.block import Block
from kvsmooth.decoding.attention import decoder_of, owned_attention
from kvsmooth.decoding.clock import Clock
from kvsmooth.decoding.hidden import HiddenStates
from kvsmooth.decoding.refusals import refuse_training
from kvsmooth.decoding.stage import SmoothingAttention
from kvsmooth.options import Options
from kvsmooth.presets import PRESETS
from kvsmooth.rope import pair_angles
from kvsmooth.run import Run
from kvsmooth.sinks.needs import needs_of


@dataclass(frozen=True)
class KVSmooth(Options):
    """Smooths each newly generated token's cached keys and values towards the previous token's, the more the more sink-like it is.

    At decode step t, in every layer of the band: score the token's attention row, rank the score in a queue of the last `window`
    scores of that layer and row, clip the rank to [lambda_ref - margin, lambda_ref + margin] inside [0, 1], and with that rate
    K_t <- (1 - rate) K_t + rate K_{t-1}, V_t likewise. Prompt tokens are never touched. Source: arXiv 2602.04268.

    Parameters
    ----------
    lambda_ref : centre of the clip, in [0, 1]. It is not the mean rate: with independent scores 0.9 gives 0.74, 0.7 gives 0.61
    margin : half width of the clip, >= 0. 0 makes the rate constant; margin = 0 with lambda_ref = 0 changes nothing
    window : capacity M of the queue, decode steps, >= 1
    layers : decoder layers to smooth, from 0; None is range(3, L - 1), the paper's band
    keys, values : smooth the cached keys, the cached values
    output : smooth the attention output of the newest token with the previous token's (the paper's ablation of the place; usually with
        keys=False, values=False)
    previous : "smoothed" mixes with what the cache holds (recursive EMA), "raw" with the previous token as the model computed it
    rope : "after" mixes keys as cached (rotated); "before" mixes them as if before rotation, by turning the previous key one position on
    timing : "after" the token's own attention, so that only later steps see the change; "recompute" smooths first and takes the layer's
        output from the smoothed pair (the score is still that of the raw row)
    heads : "mean" of the heads' scores; "mean_row": score of the mean attention row; "per_head": a queue for every query head, and for a
        key/value head the mean rate of its query heads
    rank : the newest score is in the queue when ranked; "strict" counts scores below it, "inclusive" scores not above it, "mid" their mean
    warmup : while the queue fills, "window" divides by M, "length" by the number of scores it holds
    exact : True leaves the attention output to the implementation found (the same bits) and computes the newest row beside it; False takes
        output and row from one explicit softmax at decode: less memory, tokens equal in float32 but not in bfloat16
    score : a detector of `kvsmooth.sinks`
    policy : a rule of `kvsmooth.policies`
    mix : how the newest state and the previous one are mixed, a name in `kvsmooth.mixes.MIXES`; all but "ema" are controls
    mix_seed : of mix="random_direction"

    Examples
    --------
    >>> from kvsmooth import KVSmooth
    >>> method = KVSmooth(lambda_ref=0.9)
    >>> method.bounds
    (0.7, 1.0)
    """

    @classmethod
    def preset(cls, name: str, **changes: Any) -> "KVSmooth":
        """The settings that a paper reports for a model (see `kvsmooth.presets`), with `changes` on top."""
        if name not in PRESETS:
            raise ValueError(f"KVSmooth.preset must be one of {tuple(PRESETS)}; got {name!r}.")
        options: dict[str, Any] = {**PRESETS[name].options, **changes}
        return cls(**options)

    def __call__(self, model: torch.nn.Module) -> AbstractContextManager[Run]:
        """A `with` block in which `model` decodes with smoothing; it yields a fresh `Run` and restores the model when it ends.

        Raises
        ------
        Unsupported
            For a model, cache or kind of decoding that the method cannot serve; on a clean exit, for scores that were NaN and rates
            outside [0, 1].
        NothingSmoothed
            On a clean exit, when the model decoded and nothing was smoothed.
        """
        return Block(partial(self._smoothing, model))

    @contextmanager
    def _smoothing(self, model: torch.nn.Module) -> Iterator[Run]:
        decoder = decoder_of(model)
        band = self.band(len(decoder.layers))
        angles = pair_angles(decoder, band) if self.rope == "before" and self.keys else None
        refuse_training(model)
        run = Run(band, self.bounds)
        needs = needs_of(self.score)
        clock = Clock(
            model,
            decoder,
            band,
            needs_ids=getattr(self.score, "keys", "all") != "all",
            needs_tokens="tokens" in needs or getattr(self.policy, "needs_tokens", False),
            needs_mask="prompt" in needs,
        )
        hidden = HiddenStates(decoder, band, clock, prompt="prompt" in needs) if needs & {"hidden", "prompt"} else None

        def build(base: Callable[..., Any]) -> Callable[..., Any]:
            return SmoothingAttention(self, band, clock, base, run, angles, hidden).attend

        try:
            with owned_attention(model, decoder, build), clock, hidden or nullcontext():
                yield run
            run.check(clock.decoded)
        finally:
            run.close()
