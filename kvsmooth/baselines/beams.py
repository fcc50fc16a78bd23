"""The bookkeeping of a beam search over one prompt, as transformers keeps it: which texts go on, which have ended, when it is over."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

GONE = -1e9


@dataclass(frozen=True)
class Beams:
    """The texts of a search between two steps.

    Attributes
    ----------
    tokens : said so far, "beam step"
    scores : sums of their log-probabilities
    origin : of each text, the place that it had a step before
    ended : texts that have ended and their scores by length, the best first
    over : the search is
    """

    tokens: Int[Tensor, "beam step"]
    scores: Float[Tensor, " beam"]
    origin: Int[Tensor, " beam"]
    ended: tuple[tuple[float, Int[Tensor, " _"]], ...] = ()
    over: bool = False


@dataclass(frozen=True)
class Search:
    """The rules of a search.

    Parameters
    ----------
    config : transformers' generation_config
    stops : which texts, "row step", a criterion ends
    longest : tokens that a text may have
    """

    config: Any
    stops: Callable[[Int[Tensor, "row step"]], Bool[Tensor, " row"]]
    longest: int

    def begin(self, device: torch.device) -> Beams:
        """No token yet; all beams but the first count for nothing, as they are the same."""
        beams = self.config.num_beams
        scores = torch.full((beams,), GONE, device=device)
        scores[0] = 0.0
        return Beams(torch.empty(beams, 0, dtype=torch.long, device=device), scores, torch.arange(beams, device=device))

    def step(self, beams: Beams, gains: Float[Tensor, "beam token"]) -> Beams:
        """The texts after one more token, from its log-probabilities."""
        number, ends = self.config.num_beams, self.config._eos_token_tensor
        considered = max(2, 1 + (0 if ends is None else len(ends))) * number
        scores, index = (gains + beams.scores[:, None]).flatten().topk(considered)
        beam, token = index // gains.shape[1], index % gains.shape[1]
        texts = torch.cat((beams.tokens[beam], token[:, None]), 1)
        stopped = self.stops(texts)
        ended = self._ended(beams, texts, scores, stopped)
        running, kept = (scores + stopped.float() * GONE).topk(number)
        full, penalty = len(ended) == number, self.config.length_penalty
        length = self.longest if self.config.early_stopping == "never" and penalty > 0 else texts.shape[1]
        hopeful = float(running[0]) / length**penalty > (ended[-1][0] if full else GONE)
        over = not hopeful or (full and self.config.early_stopping is True) or bool(stopped.all())
        return Beams(texts[kept], running, beam[kept], ended, over)

    def _ended(self, beams: Beams, texts: Tensor, scores: Tensor, stopped: Tensor) -> tuple[tuple[float, Tensor], ...]:
        """Texts that have ended, the best first; those beyond the number of beams may not end."""
        number, length = self.config.num_beams, texts.shape[1]
        found = [(float(scores[rank]) / length**self.config.length_penalty, texts[rank]) for rank in range(number) if stopped[rank]]
        return tuple(sorted((*beams.ended, *found), key=lambda one: -one[0])[:number])

    def best(self, beams: Beams, prompt: Int[Tensor, "beam position"]) -> tuple[Int[Tensor, "row length"], Float[Tensor, " row"]]:
        """What `generate` returns, behind its prompt, and the scores."""
        ended = beams.ended[: self.config.num_return_sequences]
        fill = next(
            (int(tokens.flatten()[0]) for tokens in (self.config._pad_token_tensor, self.config._eos_token_tensor) if tokens is not None), 0
        )
        texts = torch.nn.utils.rnn.pad_sequence([text for _, text in ended], batch_first=True, padding_value=fill)
        return torch.cat((prompt[: len(texts)], texts), 1), torch.tensor([score for score, _ in ended], device=prompt.device)
