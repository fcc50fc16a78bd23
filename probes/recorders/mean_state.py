"""How far the hidden state lies from the mean of the caption's states so far."""

import torch
from torch import Tensor

from kvsmooth.measures import angle
from probes.recorders.recorder import Recorder
from probes.tracing.steps import GenerationSetting, Step


class MeanState(Recorder):
    """Angle between a layer's output for the newest generated token and the mean of the same layer's outputs for those before it.

    The mean runs over the generated tokens fed at steps 1 to t - 1: nothing of the prompt, nothing of the future, and not the newest
    state itself, which would pull its own mean towards it, the more so the earlier the step. All channels count. One state a layer and row
    is kept.
    """

    name = "mean_state"
    needs = frozenset({"hidden"})
    variables = ("drift_mean",)

    def __init__(self, setting: GenerationSetting):
        super().__init__(setting)
        self.total: Tensor | None = None
        self.seen = 0

    def reduce(self, step: Step):
        """Angles in rad, "layer row"; NaN at steps 0 and 1, which have no generated token before them."""
        hidden = step.hidden.float()
        if self.seen == 0:  # the prompt's last position
            self.total = torch.zeros_like(hidden)
        known = self.seen >= 2
        turned = angle(hidden, self.total) if known else torch.full(hidden.shape[:-1], torch.nan, device=hidden.device)
        if self.seen:
            self.total += hidden
        self.seen += 1
        return {"drift_mean": turned}
