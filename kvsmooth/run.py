"""What a `with` block of the method did: rates, scores and relative changes by step, layer and row."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from kvsmooth.decoding.stream import Stream, writing
from kvsmooth.errors import NothingSmoothed, Unsupported

FIELDS = ("rates", "entropies", "change_keys", "change_values")


@dataclass(frozen=True)
class AppliedRecord:
    """What was applied to one batch of sequences, and which of its tokens are the text's."""

    arrays: Float[Tensor, "step field layer row"]
    own: Bool[Tensor, "step row"]

    @classmethod
    def of(cls, stream: Stream) -> "AppliedRecord":
        """The record of a batch so far."""
        arrays = stream.kept.record()
        return cls(arrays, stream.text.own(arrays.shape[0], arrays.shape[3]))

    def named(self) -> dict[str, Tensor]:
        """By name, the arrays "step layer row", and `own` "step row"."""
        return {**dict(zip(FIELDS, self.arrays.unbind(1), strict=True)), "own": self.own}

    def counted(self, name: str) -> Float[Tensor, "token layer"]:
        """One array at the tokens of the text."""
        return self.arrays[:, FIELDS.index(name)].transpose(1, 2)[self.own]


class Run:
    """The record of a `with` block; its arrays belong to the latest sequence batch that wrote a text in it.

    Step 0 is the first pass that was fed a generated token. A row that has ended is fed padding until its batch ends: the arrays hold what
    was applied there too, `own` tells what counts. Under beam search a row is a beam's place at that step, not a hypothesis. A branch
    beside the text, as guidance runs one on a negative prompt, is smoothed as well and is found in `branches` alone.

    Attributes
    ----------
    layers : the decoder layers of the layer axis
    bounds : floor and ceiling of the rate
    """

    def __init__(self, layers: tuple[int, ...], bounds: tuple[float, float]):
        self.layers, self.bounds = layers, bounds
        self._streams: list[Stream] = []
        self._closed: tuple[list[AppliedRecord], list[AppliedRecord]] | None = None

    def begin(self, stream: Stream) -> None:
        """Take over the record of a sequence batch that begins."""
        self._streams.append(stream)

    def close(self) -> None:
        """Keep the records alone: queues, previous states and what is known of prompts end with the block."""
        self._closed, self._streams = self._records(), []

    def _records(self) -> tuple[list[AppliedRecord], list[AppliedRecord]]:
        """Of the texts, and of the branches beside them; those that decoded, in their order."""
        if self._closed is not None:
            return self._closed
        texts = writing(self._streams)
        branches = [stream for stream in self._streams if stream not in texts]
        return _decoded(texts), _decoded(branches)

    @property
    def generations(self) -> tuple[dict[str, Tensor], ...]:
        """One mapping of arrays for each sequence batch that wrote a text in the block, in their order; keys as in `FIELDS`, and "own"."""
        return tuple(record.named() for record in self._records()[0])

    @property
    def branches(self) -> tuple[dict[str, Tensor], ...]:
        """The same of sequence batches that decoded beside a text."""
        return tuple(record.named() for record in self._records()[1])

    def _latest(self) -> AppliedRecord:
        texts = self._records()[0]
        return texts[-1] if texts else AppliedRecord(torch.empty(0, len(FIELDS), len(self.layers), 0), torch.empty(0, 0, dtype=torch.bool))

    @property
    def own(self) -> Bool[Tensor, "step row"]:
        """Which rates were applied to tokens of the text: before a row's end, and under beam search on the way to a returned sequence."""
        return self._latest().own

    @property
    def steps(self) -> Int[Tensor, " row"]:
        """Decode steps of each row before its end."""
        return self.own.sum(0)

    @property
    def rates(self) -> Float[Tensor, "step layer row"]:
        """The lambdas applied, in [0, 1], float32 on the CPU; with heads="per_head" their mean over heads."""
        return self._latest().named()["rates"]

    @property
    def entropies(self) -> Float[Tensor, "step layer row"]:
        """The scores that were ranked (nat for the default score); with heads="per_head" their mean over heads."""
        return self._latest().named()["entropies"]

    @property
    def change_keys(self) -> Float[Tensor, "step layer row"]:
        """||K_new - K_raw|| / ||K_raw|| of the newest token, over all key/value heads, 1; 0 where keys are not smoothed."""
        return self._latest().named()["change_keys"]

    @property
    def change_values(self) -> Float[Tensor, "step layer row"]:
        """||V_new - V_raw|| / ||V_raw|| of the newest token, over all key/value heads, 1; 0 where values are not smoothed."""
        return self._latest().named()["change_values"]

    def report(self) -> dict[str, Any]:
        """Summary over all texts of the block; shares are fractions, means weigh every token of the texts and every layer alike."""
        texts = self._records()[0]
        flat = {name: torch.cat([text.counted(name).flatten() for text in texts]) if texts else torch.empty(0) for name in FIELDS}
        mean = {name: float(values.mean()) if len(values) else None for name, values in flat.items()}
        rates, (floor, ceiling) = flat["rates"], self.bounds
        return {
            "generations": len(texts),
            "steps": sum(len(text.arrays) for text in texts),
            "tokens": sum(int(text.own.sum()) for text in texts),
            "layers": list(self.layers),
            "rows": texts[-1].own.shape[1] if texts else 0,
            "lambda_mean": mean["rates"],
            "share_floor": float((rates <= floor + 1e-6).float().mean()) if len(rates) else None,
            "share_ceiling": float((rates >= ceiling - 1e-6).float().mean()) if len(rates) else None,
            "entropy_mean": mean["entropies"],
            "change_key_mean": mean["change_keys"],
            "change_value_mean": mean["change_values"],
        }

    def __repr__(self) -> str:
        told = (f"{name}={f'{value:.4g}' if isinstance(value, float) else value}" for name, value in self.report().items())
        return f"Run({', '.join(told)})"

    def check(self, decoded: bool) -> None:
        """Refuse what no number tells: that nothing was smoothed, or that it was by scores and rates that are none.

        Raises
        ------
        NothingSmoothed : the model decoded and no state was touched
        Unsupported : a score is NaN, or a rate outside [0, 1]; asked once, since at every step it would wait for the device
        """
        if decoded and not any(stream.kept.applied for stream in self._streams):
            raise NothingSmoothed(
                "KVSmooth smoothed nothing although the model decoded: its attention did not pass through the registered function; "
                "check that no other code sets the model's attn_implementation inside the `with`."
            )
        texts, branches = self._records()
        for record in (*texts, *branches):
            _refuse_no_numbers(record)


def _decoded(streams: Sequence[Stream]) -> list[AppliedRecord]:
    return [record for record in map(AppliedRecord.of, streams) if len(record.arrays)]


def _refuse_no_numbers(record: AppliedRecord) -> None:
    rates, entropies = record.counted("rates"), record.counted("entropies")
    no_score = entropies.isnan().any(1)
    no_rate = ~((rates >= 0) & (rates <= 1)).all(1)
    wrong = (no_score | no_rate).nonzero()
    if not len(wrong):
        return
    # the first one is the cause: a rate that is NaN makes later scores NaN
    first = int(wrong[0])
    step = int(record.own.nonzero()[first, 0])
    if no_score[record.own.nonzero()[:, 0] == step].any():
        raise Unsupported(f"KVSmooth.score gave NaN at step {step}, which has no rank; mend the detector or the model's precision.")
    raise Unsupported(f"KVSmooth.policy gave a rate outside [0, 1], or NaN, at step {step}; mend the policy.")
