"""What the smoothing did to the newest token."""

from typing import Any

import torch
from torch import Tensor

from probes.recorders.recorder import Recorder
from probes.tracing.steps import Step


class Smoothing(Recorder):
    """The rates that a method applied and the relative change of key and value, read from its run after the generation.

    NaN for the baseline, for methods that do not smooth, for layers outside the method's band, and at step 0, since prompt tokens are never
    smoothed.
    """

    name = "smoothing"
    variables = ("rate", "change_key", "change_value")

    def reduce(self, step: Step):
        """Nothing: the method keeps its own account."""
        return {}

    def finish(self, run: Any, steps: int) -> dict[str, Tensor]:
        """Rates and changes, "step layer row"; those that a run numbers s - 1 belong to step s."""
        whole = torch.full((steps, len(self.setting.layers), len(self.setting.groups)), torch.nan)
        found = {name: whole.clone() for name in self.variables}
        if steps == 1 or not hasattr(run, "rates"):  # a caption of one token has nothing to smooth; methods of others smooth nothing
            return found
        band = [self.setting.layers.index(layer) for layer in run.layers]
        for name, given in zip(self.variables, (run.rates, run.change_keys, run.change_values), strict=True):
            if len(given) != steps - 1:
                raise RuntimeError(f"the method reports {len(given)} decode steps; {steps - 1} were recorded.")
            found[name][1:, band] = given.float().cpu()
        return found
