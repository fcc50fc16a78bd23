"""How much attention a token gets from those that come after it."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from probes.recorders.recorder import Recorder
from probes.recordings.schema import RECEIVED_WINDOW
from probes.tracing.steps import GenerationSetting, Rows, Step


class Received(Recorder):
    """Mean attention, over heads and over the next w = `RECEIVED_WINDOW` queries, that goes to the token fed at a step.

    NaN where fewer than w queries of the same caption follow, and where a sliding window had dropped the token before the last of them:
    a mean over fewer queries is another measure, since attention falls with distance. Kept are w sums a layer and row.
    """

    name = "received"
    needs = frozenset({"row"})
    variables = ("received",)

    def __init__(self, setting: GenerationSetting, window: int = RECEIVED_WINDOW):
        super().__init__(setting)
        self.window = window
        self.sums: Tensor | None = None
        self.n_steps: Tensor | None = None

    def reduce(self, step: Step):
        """What the token fed w steps ago has received, "layer row"; nothing while there is none."""
        newest = step.over_layers(self._by_distance)
        if self.sums is None:
            self.sums = torch.full_like(newest, torch.nan)
        # a token that was d steps back is now d + 1 back; the newest has received nothing from later ones yet
        older = torch.cat((torch.zeros_like(newest[..., :1]), self.sums[..., :-1]), -1)
        self.sums = older + newest
        return {"received": self.sums[..., -1] / self.window} if step.number >= self.window else {}

    def ended(self, n_steps: Int[Tensor, " row"]) -> None:
        """Queries behind a caption's end are no queries of it."""
        self.n_steps = n_steps

    def finish(self, run: object | None, steps: int) -> dict[str, Tensor]:
        """ "step layer row"; the last w steps of each row are NaN."""
        found = torch.full((steps, len(self.setting.layers), len(self.setting.groups)), torch.nan)
        if self.kept["received"]:
            whole = torch.stack(self.kept["received"]).float().cpu()
            found[: len(whole)] = whole
        if self.n_steps is not None:
            found[(torch.arange(steps)[:, None] + self.window >= self.n_steps)[:, None].expand_as(found)] = torch.nan
        return {"received": found}

    def _by_distance(self, rows: Rows) -> Float[Tensor, "layer row distance"]:
        """Head means of the newest row on the keys 1, 2, ... w before its own; NaN on keys that it cannot see."""
        reach = min(self.window, rows.probabilities.shape[-1] - 1)
        seen = rows.probabilities[..., -1 - reach : -1].mean(2)
        seen = seen.masked_fill(~rows.visible[:, -1 - reach : -1], torch.nan).flip(-1)
        return torch.nn.functional.pad(seen, (0, self.window - reach), value=torch.nan)
