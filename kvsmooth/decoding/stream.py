"""One batch of sequences on one cache: how much of its prompt was fed, and what the method keeps of it."""

import torch

from kvsmooth.errors import Unsupported
from kvsmooth.spans import token_groups


class Stream:
    """One batch of sequences that grows on one cache, from its prompt on.

    Attributes
    ----------
    start : tokens that the cache held before the prompt
    prompt : tokens of the prompt
    fed : tokens fed so far, prompt included
    ready : the prompt is whole, so that the next pass decodes
    decoded : a decode step was seen
    ids : pieces of the prompt's (token ids, attention mask), for detectors that ask where the image is
    state : what the method keeps; it follows the cache through beam search
    """

    def __init__(self, start: int, prompt: int):
        self.start, self.prompt, self.fed = start, prompt, 0
        self.ready, self.decoded = prompt == 0, False
        self.ids: list[tuple[torch.Tensor, torch.Tensor | None]] = []
        self.state = None

    def feed(self, tokens: int) -> None:
        """Count the tokens of a pass."""
        self.fed += tokens
        self.ready = self.fed >= self.prompt

    def reorder(self, rows: torch.Tensor) -> None:
        """Row i goes on as what row rows[i] was."""
        if self.state is not None:
            self.state.reorder(rows)

    def groups(self, model: torch.nn.Module) -> torch.Tensor:
        """`token_groups` of the whole prompt, "row position"."""
        ids = torch.cat([ids for ids, _ in self.ids], 1) if self.ids else torch.empty(0, 0)
        mask = self.ids[-1][1] if self.ids else None
        total = self.start + self.prompt
        if ids.shape[1] != total or (mask is not None and mask.shape[1] < total):
            raise Unsupported(
                f"KVSmooth.score with keys other than 'all' needs the token ids of all {total} prompt positions; "
                f"got {ids.shape[1]}: pass input_ids (and the attention_mask) of the whole prompt to the model."
            )
        return token_groups(model, ids, None if mask is None else mask[:, :total])
