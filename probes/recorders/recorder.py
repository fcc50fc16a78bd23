"""What every recorder is: something that turns a decoding step into a few numbers and lets the step go."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor

from probes.tracing.steps import GenerationSetting, Step


class Recorder(ABC):
    """Reduces each step to small tensors; a fresh one for each generation.

    What it keeps after a step is a number a layer, row and head (or group), and for drift the reference states: never a map,
    never a tensor that grows with the number of keys.

    Attributes
    ----------
    name : the recorder's name in `RECORDERS`
    needs : which parts of a step it reads: "row", "key", "value", "smoothed", "hidden", "logits", "own_logits";
        "objects" asks for the subject's vocabulary
    variables : the names in the schema that it gives
    image_free : it wants the same tokens once more without the image; `without_image` sees that pass
    """

    name: ClassVar[str]
    needs: ClassVar[frozenset[str]] = frozenset()
    variables: ClassVar[tuple[str, ...]]
    image_free: ClassVar[bool] = False

    def __init__(self, setting: GenerationSetting):
        self.setting = setting
        self.kept: dict[str, list[Tensor]] = {name: [] for name in self.variables}

    @abstractmethod
    def reduce(self, step: Step) -> Mapping[str, Tensor]:
        """Values of one step by variable, each "layer row ..." (or "row" for a variable without layers)."""

    def step(self, step: Step) -> None:
        """Keep what `reduce` makes of a step."""
        for name, value in self.reduce(step).items():
            self.kept[name].append(value)

    def prompt(self, layer: int, hidden: Float[Tensor, "row position channel"], first: int) -> None:  # noqa: B027  a recorder may look and need not
        """See a layer's output over prompt positions from `first` on; most recorders do not look."""

    def predicted(self, tokens: Int[Tensor, " row"]) -> None:  # noqa: B027
        """Learn which tokens the step before predicted; most recorders do not look."""

    def ended(self, n_steps: Int[Tensor, " row"]) -> None:  # noqa: B027
        """Learn how many steps are each row's own, when the generation has ended; most recorders do not look."""

    def without_image(self, number: int, logits: Float[Tensor, "row token"]) -> None:  # noqa: B027
        """See the logits of step `number` in the pass without the image; only those that ask for one."""

    def finish(self, run: Any, steps: int) -> dict[str, Tensor]:
        """Everything recorded, "step layer row ..." in float32 on the CPU; `run` is what the arm yielded, None for the baseline."""
        return {name: torch.stack(values).float().cpu() for name, values in self.kept.items() if values}
