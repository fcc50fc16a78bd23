"""OPERA's beam loop: each step looks at candidates one token ahead, and may go back to an earlier one."""

import copy
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor
from transformers.generation.utils import GenerateBeamDecoderOnlyOutput

from kvsmooth.baselines.beams import Beams, Search
from kvsmooth.baselines.columns import prompt_groups
from kvsmooth.baselines.over_trust import LastRow, commonest, over_trust, trusted_places
from kvsmooth.baselines.retrospection import Retrospection
from kvsmooth.baselines.site import Site
from kvsmooth.errors import Unsupported
from kvsmooth.spans import IMAGE

NEVER = -999.0
BY_TOKEN = ("attention_mask", "position_ids", "token_type_ids", "mm_token_type_ids")
"""Inputs that hold a number for each token, and grow with the text."""


@dataclass(frozen=True)
class Settings:
    """OPERA's options, as its loop takes them."""

    alpha: float
    scale: float
    threshold: int
    candidates: int
    first: int


class RollingBeams:
    """One call of `generate`, for `custom_generate`."""

    def __init__(self, site: Site, row: LastRow, settings: Settings):
        self.site, self.row, self.settings = site, row, settings

    def __call__(
        self,
        model: Any,
        input_ids: Int[Tensor, "beam position"],
        logits_processor: Any,
        stopping_criteria: Any,
        generation_config: Any,
        **kwargs: Any,
    ) -> Any:
        """What beam search returns for one prompt."""
        self.model, self.prompt, self.config = model, input_ids, generation_config
        settings = self.settings
        longest = generation_config.max_length - input_ids.shape[1]
        search = Search(generation_config, lambda texts: stopping_criteria(self._whole(texts), None), longest)
        past = Retrospection(settings.first, settings.threshold, settings.candidates)
        logits = self._begin(kwargs)
        beams, states = search.begin(logits.device), []
        while not beams.over:
            changed, back = self._changed(logits, past)
            states.append(beams)
            if back is not None:
                place, step = back
                given_up = states[step + 1]
                pairs = list(zip(given_up.origin.tolist(), given_up.tokens[:, -1].tolist(), strict=True))
                pairs = past.reject(place, step, pairs)
                del states[step + 1 :]
                beams = states[step]
                changed = without(self._replayed(beams), pairs)
            gains = logits_processor(self._whole(beams.tokens), changed.log_softmax(-1))
            beams = search.step(beams, gains)
            logits = logits if beams.over else self._step(beams)
        returned: Any
        returned, scores = search.best(beams, input_ids)
        if generation_config.return_dict_in_generate:
            return GenerateBeamDecoderOnlyOutput(sequences=returned, sequences_scores=scores, past_key_values=self.cache)
        return returned

    def _whole(self, tokens: Int[Tensor, "row step"]) -> Int[Tensor, "row position"]:
        return torch.cat((self.prompt[:1].expand(len(tokens), -1), tokens), 1)

    def _begin(self, kwargs: dict[str, Any]) -> Float[Tensor, "beam token"]:
        """The prompt's pass; what it left is kept, to begin again from."""
        output = self.model._prefill(self.prompt, self.config, kwargs)
        following = self.site.following
        following.acted()
        kept, stream = following.kept(), following.passed
        rows = len(self.prompt)
        groups = None if kept is None or stream is None else prompt_groups(self.site, stream, kept, rows, self.prompt.device)
        if groups is None:
            raise Unsupported(f"{self.site.method} did not see the pass of a prompt with an image; open it at the model that generates.")
        self.image, self.length = groups.eq(IMAGE), groups.shape[1]
        self.kwargs = self.model._update_model_kwargs_for_generation(output, kwargs)
        self.cache = self.kwargs["past_key_values"]
        self.row.take(self.length)
        self.local = torch.zeros(len(self.prompt), 0, 0, device=self.prompt.device)
        first: Tensor = output.logits[:, -1].to(copy=True, dtype=torch.float32, device=self.prompt.device)
        self._first = first, dict(self.kwargs), [copy.copy(layer) for layer in self.cache.layers]
        return first

    def _step(self, beams: Beams) -> Float[Tensor, "beam token"]:
        """The pass of the newest tokens of the text itself."""
        self.cache.reorder_cache(beams.origin)
        self.local = self.local[beams.origin]
        logits = self._passed(beams.tokens)
        self.site.following.acted()
        return logits

    def _passed(self, tokens: Int[Tensor, "beam step"]) -> Float[Tensor, "beam token"]:
        """The pass of the last of these tokens; its attention is kept with that of the others."""
        given = self.model.prepare_inputs_for_generation(self._whole(tokens), next_sequence_length=1, **self.kwargs)
        output = self.model(**given, return_dict=True)
        self.kwargs = self.model._update_model_kwargs_for_generation(output, self.kwargs)
        steps = tokens.shape[1]
        row = self.row.take(self.length + steps)[:, self.length :]
        self.local = torch.cat((torch.nn.functional.pad(self.local, (0, 1)), row[:, None]), 1)
        logits: Tensor = output.logits[:, -1].to(copy=True, dtype=torch.float32, device=tokens.device)
        return logits

    def _replayed(self, beams: Beams) -> Float[Tensor, "beam token"]:
        """Logits after the texts of an earlier step, each token fed anew behind the prompt."""
        logits, kwargs, layers = self._first
        self.kwargs, self.local = dict(kwargs), self.local[:, :0, :0]
        self.cache.layers[:] = [copy.copy(layer) for layer in layers]
        with self.site.following.branch():
            for step in range(beams.tokens.shape[1]):
                logits = self._passed(beams.tokens[:, : step + 1])
        return logits

    def _changed(self, logits: Float[Tensor, "beam token"], past: Retrospection) -> tuple[Tensor, tuple[int, int] | None]:
        """Logits of the candidates, penalised, and where to go back to."""
        settings, kept = self.settings, self.site.following.kept()
        scores, tokens = logits.topk(min(settings.candidates, logits.shape[1]))
        newest, seen = self._candidates(tokens)
        trust = over_trust(self.local, newest, settings.scale)
        places = trusted_places(trust).tolist()
        back = past.back_to([commonest(beam) for beam in places])
        largest = trust.amax(-1).clamp_max(torch.finfo(torch.float16).max)
        penalty = -seen if newest.shape[-1] <= settings.first else largest
        if kept is not None:
            kept.measure_search("penalty", penalty)
            # the share of steps that go back
            kept.measure_search("rolled_back", torch.tensor(float(back is not None)))
        return torch.full_like(logits, NEVER).scatter(1, tokens, scores - settings.alpha * penalty), back

    def _candidates(
        self, tokens: Int[Tensor, "beam candidate"]
    ) -> tuple[Float[Tensor, "beam candidate place"], Float[Tensor, "beam candidate"]]:
        """Attention that each candidate would pay to the response with itself, and to the image."""
        beams, each = tokens.shape
        steps = self.local.shape[1] + 1
        cache = copy.copy(self.cache)
        cache.layers = [copy.copy(layer) for layer in self.cache.layers]
        for name in ("reorder_cache", "batch_select_indices"):  # those of the text's cache tell whoever follows the text
            vars(cache).pop(name, None)
        cache.batch_repeat_interleave(each)
        grown = {name: value for name in BY_TOKEN if isinstance(value := self.kwargs.get(name), Tensor)}
        _, grown = self.model._expand_inputs_for_generation(expand_size=each, input_ids=None, **grown)
        with self.site.following.branch():
            given = self.model.prepare_inputs_for_generation(
                tokens.flatten()[:, None], next_sequence_length=1, **{**self.kwargs, **grown, "past_key_values": cache}
            )
            self.model(**given, return_dict=True)
        row = self.row.take(self.length + steps).view(beams, each, -1)
        return row[..., self.length :], (row[..., : self.length] * self.image[:, None]).sum(-1)


def without(logits: Float[Tensor, "beam token"], pairs: list[tuple[int, int]]) -> Float[Tensor, "beam token"]:
    """Logits above the lowest, which stands for never; these (beam, token) pairs are given it."""
    risen = logits - logits.amin(-1, keepdim=True) + NEVER
    rejected = torch.zeros_like(risen, dtype=torch.bool)
    for beam, token in pairs:
        rejected[beam, token] = True
    return risen.masked_fill(rejected, NEVER)
