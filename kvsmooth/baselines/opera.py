"""OPERA: beam search whose candidates pay for leaning on one token of the response, and which goes back when all beams do."""

import functools
import inspect
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from kvsmooth.baselines.logits import LogitChange
from kvsmooth.baselines.method import Method
from kvsmooth.baselines.over_trust import LastRow
from kvsmooth.baselines.rolling_beams import RollingBeams, Settings
from kvsmooth.baselines.site import Site
from kvsmooth.decoding.refusals import guided, option
from kvsmooth.errors import Unsupported

KEPT_OF_STEPS = ("output_scores", "output_logits", "output_attentions", "output_hidden_states")


@dataclass(frozen=True)
class OPERA(Method):
    """Takes over `generate(num_beams=...)`: an over-trust penalty on each beam's candidates, and retrospection.

    Of each beam the `candidates` likeliest tokens are fed, one each. With A the last layer's attention among the response's tokens (largest
    of the heads, rows summing to one over all tokens) a candidate's logit loses alpha max_j 1e-7 prod_i>=j scale A_ij, held in half
    precision; up to the `first` tokens it gains alpha times its attention to the image instead. All other tokens get -999. The place j of
    the maximum, most common among candidates, is kept of each beam and step; where every beam has had the place that is most common now
    more than `threshold` times, the search goes back to behind it, at most `candidates` times, then once more one place earlier, gives up
    what was chosen there, and goes on. Source: Huang et al., CVPR 2024; the authors' code. Quirks, reproduced: after going back any token
    may be chosen, without a penalty; beams are told apart by their place in the search; half precision overflows for long texts.

    Parameters
    ----------
    alpha : weight of the penalty, >= 0
    scale : of the attention within the product, > 0
    threshold : times that all beams must have leant on a place before the search goes back to it
    candidates : tokens that a beam is offered; 0 with alpha = 0 leaves beam search as it is
    first : tokens of the response that are paid for their attention to the image; no place before is gone back to
    """

    name: ClassVar[str] = "opera"
    cost: ClassVar[str] = "a pass of all beams' candidates at each step; when it goes back, all tokens up to there once more"
    sources: ClassVar[Mapping[str, str]] = {
        "alpha": "code",
        "scale": "code",
        "threshold": "code; 25 with one candidate in its README, for speed",
        "candidates": "code",
        "first": "code: a constant",
    }
    generation: ClassVar[Mapping[str, Any]] = {"num_beams": 5}
    one_text: ClassVar[bool] = True
    """It serves one prompt at a time."""

    alpha: float = 1.0
    scale: float = 50.0
    threshold: int = 15
    candidates: int = 5
    first: int = 10

    def __post_init__(self) -> None:
        self.check_number("alpha", least=0)
        self.check_number("scale", least=0)
        for name in ("threshold", "candidates", "first"):
            self.check_whole(name, least=0)
        if self.candidates == 0 and self.alpha:
            raise ValueError(f"OPERA.candidates must be at least 1, or alpha 0; got 0 with alpha = {self.alpha!r}.")

    @property
    def neutral(self) -> bool:
        """Whether beam search is left as it is."""
        return self.candidates == 0

    def refuse(self, module: torch.nn.Module, given: Mapping[str, Any]) -> None:
        """Refuse what is no beam search over one prompt on a cache that can begin anew."""
        name, asked = self.name, functools.partial(option, module, given)
        prompts = next((given[key] for key in ("inputs_embeds", "input_ids", "inputs") if given.get(key) is not None), None)
        if asked("do_sample"):
            raise Unsupported(f"{name} is a beam search and does not sample; leave do_sample out.")
        if (asked("num_beams") or 1) < 2:
            raise Unsupported(f"{name} is a beam search and this call has no beams; pass num_beams=5 to generate.")
        if prompts is not None and len(prompts) > 1:
            raise Unsupported(f"{name} goes back in one text at a time and got {len(prompts)} prompts; generate from them one by one.")
        if asked("cache_implementation") not in (None, "dynamic") or given.get("past_key_values") is not None:
            raise Unsupported(f"{name} goes back on a cache of its own; leave cache_implementation and past_key_values out.")
        kept = next((one for one in KEPT_OF_STEPS if asked(one)), None)
        other = next((one for one in ("streamer", "custom_generate") if given.get(one) is not None), kept)
        if other is not None or guided(module, given):
            raise Unsupported(f"{name} goes back over steps that were given up; leave {other or 'guidance_scale'} out.")

    def parts(self, site: Site) -> Iterable[AbstractContextManager[Any]]:
        """The last layer's attention, and the search in the place of `generate`'s own."""
        if self.neutral:
            return (LogitChange(site, lambda logits, at: logits, neutral=True)(),)
        row = LastRow(site)
        settings = Settings(self.alpha, self.scale, self.threshold, self.candidates, self.first)
        return (row(), _taken_over(site, RollingBeams(site, row, settings)))


@contextmanager
def _taken_over(site: Site, search: RollingBeams) -> Iterator[None]:
    """`generate` of whoever gives the logits searches in this way inside the block, on this instance alone."""
    speaker: Any = site.speaker
    generate, own = speaker.generate, vars(speaker).get("generate")
    signature = inspect.signature(generate)

    @functools.wraps(generate)
    def taken_over(*args: Any, **kwargs: Any) -> Any:
        others = site.following.others()
        if others:
            raise Unsupported(f"{site.method} goes back in its text, which {others[0]} cannot follow; open one of them alone.")
        bound = signature.bind_partial(*args, **kwargs)
        return generate(*bound.args, **{**bound.kwargs, "custom_generate": search})

    speaker.generate = taken_over
    try:
        yield
    finally:
        if own is None:
            del speaker.generate
        else:
            speaker.generate = own
