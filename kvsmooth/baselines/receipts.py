"""What a `with` block of a method did: on how many steps of how many texts it acted, and how much."""

from typing import Any

import torch

from kvsmooth.baselines.errors import NothingChanged
from kvsmooth.baselines.kept import Kept
from kvsmooth.decoding.stream import Stream, writing


class Receipts:
    """The record of a `with` block of a method.

    Attributes
    ----------
    options : those of the method, as JSON-able data
    """

    def __init__(self, options: dict[str, Any]):
        self.options = options
        self._streams: list[tuple[Stream, Kept]] = []
        self._closed: dict[str, Any] | None = None

    def begin(self, stream: Stream, kept: Kept) -> None:
        """Take over the record of a sequence batch that begins."""
        self._streams.append((stream, kept))

    def close(self) -> None:
        """Keep the summary alone: caches and what is known of prompts end with the block."""
        self._closed, self._streams = self.report(), []

    def report(self) -> dict[str, Any]:
        """Summary over all texts of the block.

        "texts" that decoded, "steps" on which the method acted, "prompts" at whose end it did, and the mean of whatever the method
        measures of itself, over steps, layers and rows alike; its unit is in the method's own docstring.
        """
        if self._closed is not None:
            return self._closed
        texts = writing([stream for stream, _ in self._streams])
        kept = [one for stream, one in self._streams if stream in texts and stream.decoded]
        measured: dict[str, list[torch.Tensor]] = {}
        for one in kept:
            for name, (total, count) in one.measured.items():
                measured.setdefault(name, []).append(torch.stack([total.double().cpu(), torch.tensor(float(count)).double()]))
        means = {name: torch.stack(values).sum(0).tolist() for name, values in measured.items()}
        return {
            **self.options,
            "texts": len(kept),
            "steps": sum(one.steps for one in kept),
            "prompts": sum(one.prompts for one in kept),
            **{name: total / count for name, (total, count) in sorted(means.items())},
        }

    def __repr__(self) -> str:
        return f"Receipts({', '.join(f'{name}={value!r}' for name, value in self.report().items())})"

    def check(self, method: str, decoded: bool) -> None:
        """Refuse to let pass that nothing was touched.

        Raises
        ------
        NothingChanged
        """
        if decoded and not any(kept.steps for _, kept in self._streams):
            raise NothingChanged(
                f"{method} changed nothing although the model decoded: its passes did not go through what it watches; check that no "
                "other code sets the model's attn_implementation inside the `with`, and that logits are those of the model's own forward."
            )
