"""Where the newest token's attention goes, by group of positions."""

import torch
from jaxtyping import Float, Int
from torch import Tensor

from kvsmooth.measures import group_mass
from kvsmooth.spans import GENERATED, GROUPS, SELF
from probes.recorders.recorder import Recorder
from probes.tracing.steps import GenerationSetting, Rows, Step


class Mass(Recorder):
    """Share of each head's newest attention row that falls on each group, and each group's number of visible keys.

    The second gives the null of dilution: uniform attention puts `group_keys / n_keys` on a group.
    """

    name = "mass"
    needs = frozenset({"row"})
    variables = ("mass", "group_keys")

    def __init__(self, setting: GenerationSetting):
        super().__init__(setting)
        self.groups = torch.nn.functional.pad(setting.groups, (0, setting.max_new_tokens), value=GENERATED)

    def reduce(self, step: Step):
        """Mass, "layer row head group", sums to one over groups; keys, "layer row group"."""
        newest = step.positions - 1
        before = self.groups[:, newest].clone()
        self.groups[:, newest] = SELF
        values = {"mass": step.over_layers(self._mass), "group_keys": step.over_layers(self._keys)}
        self.groups[:, newest] = before
        return values

    def _mass(self, rows: Rows) -> Float[Tensor, "layer row head group"]:
        layers, _, heads, _ = rows.probabilities.shape
        # rows first, so that one product serves all layers
        mass = group_mass(rows.probabilities.transpose(0, 1).flatten(1, 2), self._of(rows), len(GROUPS))
        return mass.unflatten(1, (layers, heads)).transpose(0, 1)

    def _keys(self, rows: Rows) -> Float[Tensor, "layer row group"]:
        return group_mass(rows.visible.float()[:, None], self._of(rows), len(GROUPS))[:, 0].expand(len(rows.layers), -1, -1)

    def _of(self, rows: Rows) -> Int[Tensor, "row key"]:
        return self.groups[:, rows.first : rows.first + rows.visible.shape[1]]
