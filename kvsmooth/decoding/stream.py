"""One batch of sequences on one cache: how much of its prompt was fed, and what the method keeps of it."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import torch

from kvsmooth.decoding.text import Text
from kvsmooth.errors import Unsupported
from kvsmooth.spans import token_groups

if TYPE_CHECKING:
    from kvsmooth.decoding.state import BandState


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
    text : which of the tokens fed are the text's
    began, last : numbers of its first and latest pass, among all passes of the block
    aside : it decoded beside a running `generate` that writes on another stream
    """

    def __init__(self, start: int, prompt: int):
        self.start, self.prompt, self.fed = start, prompt, 0
        self.ready, self.decoded = prompt == 0, False
        self.ids: list[tuple[torch.Tensor, torch.Tensor | None]] = []
        self.state: "BandState | None" = None
        self.text = Text()
        self.began = self.last = 0
        self.aside = False

    @property
    def kept(self) -> "BandState":
        """What the method keeps, once the stream has begun."""
        if self.state is None:
            raise RuntimeError("a stream is asked for its state before its first pass.")
        return self.state

    def feed(self, tokens: int) -> None:
        """Count the tokens of a pass."""
        self.fed += tokens
        self.ready = self.fed >= self.prompt

    def reorder(self, rows: torch.Tensor) -> None:
        """Row i goes on as what row rows[i] was."""
        self.text.reorder(rows)
        if self.state is not None:
            self.state.reorder(rows)

    def keep(self, rows: torch.Tensor) -> None:
        """Only these rows go on, in their order; rows whose text has ended may leave the batch."""
        self.text.keep(rows)
        if self.state is not None:
            self.state.keep(rows)

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


def writing(streams: Sequence[Stream]) -> list[Stream]:
    """Those that write a text, in their order: no branch beside one, such as the negative prompt of guidance or a distorted image.

    Inside `generate` the call says which stream it writes on. In loops of one's own a branch began between two passes of the text, which
    began first, and is fed the text's tokens.
    """
    texts = [stream for stream in streams if not stream.aside]
    return [stream for stream in texts if not any(_beside(stream, text) for text in texts)]


def _beside(branch: Stream, text: Stream) -> bool:
    return text.began < branch.began < text.last and branch.text.follows(text.text)
