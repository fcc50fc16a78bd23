"""What a `with` block of a method did: on how many steps of how many texts it acted, and how much."""

from typing import Any

import torch

from kvsmooth.baselines.errors import NothingChanged
from kvsmooth.baselines.kept import PROMPT, Kept
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
        self._closed: tuple[dict[str, Any], dict[str, int]] | None = None

    def begin(self, stream: Stream, kept: Kept) -> None:
        """Take over the record of a sequence batch that begins."""
        self._streams.append((stream, kept))

    def close(self) -> None:
        """Keep the summary alone: caches and what is known of prompts end with the block."""
        self._closed, self._streams = self._summary(), []

    def report(self) -> dict[str, Any]:
        """Summary over all texts of the block.

        "texts" that decoded, "steps" on which the method acted, "prompts" at whose end it did, and the mean of whatever the method
        measures of itself, over steps, layers and rows alike; its unit is in the method's own docstring. Of steps that decode, only tokens
        of the text count: a row that has ended is fed padding until its batch ends, and is left out.
        """
        return self._summary()[0]

    @property
    def counts(self) -> dict[str, int]:
        """By name, of how many measurements the report's mean is."""
        return self._summary()[1]

    def _summary(self) -> tuple[dict[str, Any], dict[str, int]]:
        if self._closed is not None:
            return self._closed
        texts = writing([stream for stream, _ in self._streams])
        counted = [(stream, one) for stream, one in self._streams if stream in texts and stream.decoded]
        measured: dict[str, list[tuple[float, int]]] = {}
        for stream, one in counted:
            for name, parts in _of_the_text(stream, one).items():
                measured.setdefault(name, []).extend(parts)
        counts = {name: sum(count for _, count in parts) for name, parts in sorted(measured.items())}
        report = {
            **self.options,
            "texts": len(counted),
            "steps": sum(one.steps for _, one in counted),
            "prompts": sum(one.prompts for _, one in counted),
            **{name: sum(total for total, _ in measured[name]) / count for name, count in counts.items() if count},
        }
        return report, counts

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


def _of_the_text(stream: Stream, kept: Kept) -> dict[str, list[tuple[float, int]]]:
    """By name and step, sum and number of what was measured at tokens of the text; all that was measured of a prompt."""
    steps = stream.fed - stream.prompt
    batch = max((len(each.sums) for named in kept.measured.values() for each in named.values()), default=0)
    own = stream.text.own(steps, batch)
    return {
        name: [each.over(torch.ones(len(each.sums), dtype=torch.bool) if step == PROMPT else own[step]) for step, each in parts.items()]
        for name, parts in kept.measured.items()
    }
