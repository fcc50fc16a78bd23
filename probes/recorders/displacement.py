"""How far the hidden state has moved over several steps, and whether its moves are of a piece."""

from collections import deque

import torch
from torch import Tensor

from probes.recorders.recorder import Recorder
from probes.recordings.schema import LAGS
from probes.tracing.steps import GenerationSetting, Step


class Displacement(Recorder):
    """Squared distances |h_t - h_{t-lag}|^2 of a layer's output, and products of increments <h_t - h_{t-1}, h_{t-lag} - h_{t-lag-1}>.

    Their means over steps say whether the state walks at random, as KVSmooth's derivation supposes (arXiv 2602.04268): then the first
    grows in proportion to the lag and the second is zero. State 0 is that of the prompt's last position. Kept are the last 34 states
    (max lag + 2), in the model's own precision: 34 x layers x rows x channels numbers.
    """

    name = "displacement"
    needs = frozenset({"hidden"})
    variables = ("displacement", "increment_product")

    def __init__(self, setting: GenerationSetting):
        super().__init__(setting)
        self.past: deque[Tensor] = deque(maxlen=max(LAGS) + 2)

    def reduce(self, step: Step):
        """Both "layer row lag", in squared units of the hidden state; NaN where the caption is too young."""
        self.past.append(step.hidden)
        none = torch.full(step.hidden.shape[:-1], torch.nan, device=step.hidden.device)
        moved = [self._moved(0, lag) for lag in LAGS]
        newest = self._moved(0, 1)
        earlier = [self._moved(lag, 1) for lag in LAGS]
        return {
            "displacement": torch.stack([none if move is None else move.square().sum(-1) for move in moved], -1),
            "increment_product": torch.stack([none if move is None else (newest * move).sum(-1) for move in earlier], -1),
        }

    def _moved(self, ago: int, lag: int) -> Tensor | None:
        """The state `ago` steps back minus the one `lag` before it, float32; None where there was none."""
        if len(self.past) <= ago + lag:
            return None
        return self.past[-1 - ago].float() - self.past[-1 - ago - lag].float()
