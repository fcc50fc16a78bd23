"""`KVSmooth`: the options of the method, and the `with` block in which a model is smoothed."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field, fields, replace
from functools import partial
from numbers import Real

import torch

from kvsmooth.block import Block
from kvsmooth.decoding.attention import decoder_of, owned_attention
from kvsmooth.decoding.clock import Clock
from kvsmooth.decoding.hidden import HiddenStates
from kvsmooth.decoding.refusals import refuse_training
from kvsmooth.decoding.sight import check_score, needs_of
from kvsmooth.decoding.stage import Smoothing
from kvsmooth.described import described
from kvsmooth.errors import Unsupported
from kvsmooth.mixes import MIXES
from kvsmooth.policies import Percentile, Policy
from kvsmooth.presets import PRESETS
from kvsmooth.rope import pair_angles
from kvsmooth.run import Run
from kvsmooth.sinks import RowEntropy
from kvsmooth.whole import whole

CHOICES = {
    "previous": ("smoothed", "raw"),
    "rope": ("after", "before"),
    "timing": ("after", "recompute"),
    "heads": ("mean", "mean_row", "per_head"),
    "rank": ("strict", "inclusive", "mid"),
    "warmup": ("window", "length"),
    "mix": tuple(MIXES),
}


@dataclass(frozen=True)
class KVSmooth:
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

    lambda_ref: float = 0.7
    margin: float = 0.2
    window: int = 15
    layers: Iterable[int] | None = None
    keys: bool = True
    values: bool = True
    output: bool = False
    previous: str = "smoothed"
    rope: str = "after"
    timing: str = "after"
    heads: str = "mean"
    rank: str = "strict"
    warmup: str = "window"
    exact: bool = True
    score: Callable = field(default_factory=RowEntropy)
    policy: Policy = field(default_factory=Percentile)
    mix: str = "ema"
    mix_seed: int = 0

    def __post_init__(self):
        if isinstance(self.lambda_ref, torch.nn.Module):
            raise ValueError(
                f"KVSmooth takes options first and the model behind them: KVSmooth()(model); got {type(self.lambda_ref).__name__}."
            )
        if not (_number(self.lambda_ref) and 0 <= self.lambda_ref <= 1):
            raise ValueError(f"KVSmooth.lambda_ref must lie in [0, 1]; got {self.lambda_ref!r}.")
        if not (_number(self.margin) and self.margin >= 0):
            raise ValueError(f"KVSmooth.margin must be at least 0; got {self.margin!r}.")
        if not whole(self.window) or self.window < 1:
            raise ValueError(f"KVSmooth.window must be a positive integer; got {self.window!r}.")
        if not whole(self.mix_seed):
            raise ValueError(f"KVSmooth.mix_seed must be an integer; got {self.mix_seed!r}.")
        if self.layers is not None:
            layers = tuple(self.layers) if isinstance(self.layers, Iterable) else (self.layers,)
            if not layers or not all(map(whole, layers)) or len(set(layers)) < len(layers) or min(layers) < 0:
                raise ValueError(f"KVSmooth.layers must be None or distinct layer numbers from 0; got {self.layers!r}.")
            object.__setattr__(self, "layers", tuple(sorted(layers)))
        for name in ("keys", "values", "output", "exact"):
            if not isinstance(getattr(self, name), bool):
                raise ValueError(f"KVSmooth.{name} must be True or False; got {getattr(self, name)!r}.")
        if not (self.keys or self.values or self.output):
            raise ValueError("KVSmooth.keys, values or output must be True; got False for all three, which smooths nothing.")
        for name, allowed in CHOICES.items():
            if getattr(self, name) not in allowed:
                raise ValueError(f"KVSmooth.{name} must be one of {allowed}; got {getattr(self, name)!r}.")
        if isinstance(self.score, type) or not callable(self.score):
            raise ValueError(f"KVSmooth.score must be a detector, such as RowEntropy(), or a function of Seen; got {self.score!r}.")
        check_score(self.score, self.heads)
        if isinstance(self.policy, type) or not callable(getattr(self.policy, "start", None)):
            raise ValueError(f"KVSmooth.policy must be a policy, such as Percentile(); got {self.policy!r}.")

    @classmethod
    def preset(cls, name: str, **changes) -> "KVSmooth":
        """The settings that a paper reports for a model (see `kvsmooth.presets`), with `changes` on top."""
        if name not in PRESETS:
            raise ValueError(f"KVSmooth.preset must be one of {tuple(PRESETS)}; got {name!r}.")
        return replace(cls(**PRESETS[name].options), **changes)

    @property
    def bounds(self) -> tuple[float, float]:
        """Floor and ceiling of the rate."""
        # rounded, so that 0.7 - 0.2 is 0.5 and a rate at the floor compares equal to it
        return max(0.0, round(self.lambda_ref - self.margin, 12)), min(1.0, round(self.lambda_ref + self.margin, 12))

    def band(self, n_layers: int) -> tuple[int, ...]:
        """The layers smoothed in a decoder of `n_layers`."""
        band = tuple(range(3, n_layers - 1)) if self.layers is None else self.layers
        if not band:
            raise Unsupported(
                f"KVSmooth.layers=None is range(3, {n_layers - 1}), empty for a decoder of {n_layers} layers; pass layers=range(...)."
            )
        if band[-1] >= n_layers:
            raise Unsupported(f"KVSmooth.layers must lie below {n_layers}, the layers of this decoder; got {band[-1]}.")
        return band

    def describe(self) -> dict:
        """The options as JSON-able data, for provenance."""
        return {"method": "KVSmooth", **{each.name: described(getattr(self, each.name)) for each in fields(self)}}

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

        def build(base: Callable) -> Callable:
            return Smoothing(self, band, clock, base, run, angles, hidden).attend

        try:
            with owned_attention(model, decoder, build), clock, hidden or nullcontext():
                yield run
            run.check(clock.decoded)
        finally:
            run.close()


def _number(value: object) -> bool:
    return isinstance(value, Real) and not isinstance(value, bool)
