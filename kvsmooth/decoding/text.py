"""Which tokens of a batch that decodes are its text: no padding behind an end, no beam that was given up, no branch beside it."""

from collections.abc import Sequence

import torch
from jaxtyping import Bool, Int
from torch import Tensor

from kvsmooth.errors import Unsupported


class Text:
    """What is known of the tokens that a batch of sequences was fed, step by step, and of those that `generate` returned.

    A token counts when its sequence goes on behind it: an end token and the padding that follows it are fed while other rows still
    write, and count nowhere. So a batch counts what its rows count alone.

    Attributes
    ----------
    fed : ids fed at each decode step, "row"; None where a step's are not known (embeddings only, or a compiled step)
    moves : under beam search, by step: place i goes on as what place moves[i] was
    ends : tokens that end a row
    said : what `generate` returned, its prompt left out, "row token"; None for a loop of one's own, or one that broke off
    padding : token behind the end of rows that something else than an end token ended; None where nothing else can
    prompts : rows of the prompt, each of which may have several places, and several sequences of `said`
    rows : of the whole batch, those that still decode, where some have left it; None where all do
    """

    def __init__(self, ends: Sequence[int] = ()):
        self.fed: list[Int[Tensor, " row"]] | None = []
        self.moves: dict[int, Int[Tensor, " row"]] = {}
        self.ends = tuple(ends)
        self.said: Int[Tensor, "row token"] | None = None
        self.padding: int | None = None
        self.prompts = 1
        self.rows: Int[Tensor, " kept"] | None = None
        self._batch = 0

    def feed(self, tokens: Int[Tensor, " row"] | None) -> None:
        """Take the tokens of a decode step; rows that have left are fed what ended them."""
        if tokens is None:
            self.fed = None
        elif self.fed is not None:
            tokens = tokens.detach()
            if self.rows is not None:
                tokens = tokens.new_full((self._batch,), self.ends[0]).index_copy_(0, self.rows.to(tokens.device), tokens)
            self.fed.append(tokens)

    def keep(self, rows: Int[Tensor, " kept"]) -> None:
        """Only these of the rows go on.

        Raises
        ------
        Unsupported : a text's end could not be told by its tokens, or beams were reordered before
        """
        if not self.ends or not self.fed or self.moves:
            raise Unsupported(
                "KVSmooth follows rows that leave a batch only in plain decoding, fed by token ids, of a model with an end token, from its "
                "first decode step on."
            )
        if self.rows is None:
            self._batch = len(self.fed[-1])
        self.rows = rows.detach() if self.rows is None else self.rows.to(rows.device)[rows.detach()]

    def reorder(self, rows: Int[Tensor, " row"]) -> None:
        """Before the next step, row i goes on as what row rows[i] was."""
        if self.fed:
            step = len(self.fed)
            self.moves[step] = self.moves[step][rows] if step in self.moves else rows.detach()

    def own(self, steps: int, rows: int) -> Bool[Tensor, "step row"]:
        """Which of the tokens fed at the first `steps` steps are the text's."""
        fed = None if self.fed is None or len(self.fed) < steps or not steps else torch.stack(self.fed[:steps]).cpu()
        if self.said is not None and fed is not None and self.moves:
            return self._beams(fed, self.said)
        if self.said is not None and self.said.shape == (rows, steps + 1):
            return torch.arange(steps)[:, None] < self._lengths(self.said) - 1
        if fed is not None:
            return ~self._ended(fed).cumsum(0).bool()
        return torch.ones(steps, rows, dtype=torch.bool)

    def follows(self, other: "Text") -> bool:
        """Whether this is fed what the other is fed, from some step of the other on, up to a last token of its own."""
        if self.fed is None or other.fed is None:
            return True
        for start in range(len(other.fed)):
            pairs = list(zip(self.fed, other.fed[start:], strict=False))
            if len(pairs) >= max(1, len(self.fed) - 1) and all(torch.equal(mine, its) for mine, its in pairs):
                return True
        return False

    def _ended(self, tokens: Int[Tensor, "_ _"]) -> Bool[Tensor, "_ _"]:
        return torch.isin(tokens, torch.tensor(self.ends, dtype=tokens.dtype))

    def _lengths(self, said: Int[Tensor, "row token"]) -> Int[Tensor, " row"]:
        """Tokens of each returned row, the one that ended it among them."""
        ended, width = self._ended(said), said.shape[1]
        padded = torch.zeros_like(ended) if self.padding is None else said.eq(self.padding)
        behind = padded.flip(1).int().cumprod(1).sum(1)
        return torch.where(ended.any(1), ended.int().argmax(1) + 1, width - behind)

    def _beams(self, fed: Int[Tensor, "step row"], said: Int[Tensor, "sequence token"]) -> Bool[Tensor, "step row"]:
        """The places that a returned sequence went through: those whose tokens up to a step are its first ones."""
        lengths, own = self._lengths(said), torch.zeros_like(fed, dtype=torch.bool)
        written, items = fed[:0].T, torch.arange(fed.shape[1]) * self.prompts // fed.shape[1]
        for step, tokens in enumerate(fed):
            if step in self.moves:
                written = written[self.moves[step].cpu()]
            written = torch.cat((written, tokens[:, None]), 1)
            for number, (sequence, length) in enumerate(zip(said, lengths.tolist(), strict=True)):
                same_prompt = items == number * self.prompts // len(said)
                if step + 1 < length:
                    own[step] |= same_prompt & (written == sequence[: step + 1]).all(1)
        return own


def ends_of(value: int | Sequence[int] | Tensor | None) -> tuple[int, ...]:
    """End tokens as a generation configuration writes them: none, one or several."""
    if value is None:
        return ()
    if isinstance(value, Tensor):
        value = value.tolist()
    return (value,) if isinstance(value, int) else tuple(value)
