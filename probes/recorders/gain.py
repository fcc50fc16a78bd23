"""What smoothing does to the jumps between neighbouring keys and values: the gain of a low-pass filter."""

from typing import Any

import torch
from torch import Tensor

from probes.recorders.recorder import Recorder
from probes.tracing.steps import GenerationSetting, Step


class Gain(Recorder):
    """L2 norms of the newest key (value) minus the one before, over all key/value heads: raw, and as smoothing left both in the cache.

    Their ratio is the filter's gain on a jump. Keys are rotated as they are cached. From step 1 on; step 0 stands for the prompt, which no
    method smooths. The smoothed ones are NaN for the baseline and outside a method's layers. Kept are four states a layer and row.
    """

    name = "gain"
    needs = frozenset({"key", "value", "smoothed"})
    variables = ("jump_key", "jump_value", "jump_key_smoothed", "jump_value_smoothed")

    def __init__(self, setting: GenerationSetting):
        super().__init__(setting)
        self.before: tuple[Tensor, ...] | None = None

    def reduce(self, step: Step):
        """Norms, "layer row"."""
        states = step.key, step.value, step.key_smoothed, step.value_smoothed
        none = torch.full(step.key.shape[:2], torch.nan, device=step.key.device)
        jumps = [none] * 4 if self.before is None else [_jump(*pair) for pair in zip(states, self.before, strict=True)]
        self.before = states
        return dict(zip(self.variables, jumps, strict=True))

    def finish(self, run: Any, steps: int) -> dict[str, Tensor]:
        """ "step layer row"; the smoothed ones only where the method acts."""
        found = super().finish(run, steps)
        acts = getattr(run, "layers", ())  # methods of others smooth nothing
        idle = [i for i, layer in enumerate(self.setting.layers) if layer not in acts]
        for name in self.variables[2:]:
            found[name][:, idle] = torch.nan
        return found


def _jump(newest: Tensor, before: Tensor) -> Tensor:
    return torch.linalg.vector_norm(newest.float() - before.float(), dim=(-2, -1))
