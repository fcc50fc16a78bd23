"""The angle of the hidden state to the last token's, to the image's, and to that of the prompt's end."""

import torch
from jaxtyping import Float
from torch import Tensor

from kvsmooth.measures import angle
from kvsmooth.sinks.channels import massive_channels, strongest
from kvsmooth.spans import IMAGE
from probes.recorders.recorder import Recorder
from probes.tracing.steps import GenerationSetting, Step


class Drift(Recorder):
    """Angles between a layer's output for the newest token and three references of the same layer.

    The references are the newest token's output one step before, the mean over the image positions, and the prompt's last position.
    Each angle is taken twice: over all channels, and without the sink channels, whose massive activations decide a cosine by themselves.
    """

    name = "drift"
    needs = frozenset({"hidden"})
    variables = ("drift_step", "drift_image", "drift_prompt")

    def __init__(self, setting: GenerationSetting):
        super().__init__(setting)
        self.image = setting.groups == IMAGE
        self.sums: dict[int, Tensor] = {}
        self.found: dict[int, list[dict[int, float]]] = {}
        self.references: Tensor | None = None
        self.keep: Tensor | None = None

    @property
    def sink_channels(self) -> tuple[tuple[int, ...], ...]:
        """By layer, the channels that are masked: those of the setting, or those that this batch's own prompt showed."""
        if self.setting.sink_channels is not None:
            return self.setting.sink_channels
        return tuple(strongest(self.found[layer]) for layer in sorted(self.found))

    def prompt(self, layer: int, hidden: Float[Tensor, "row position channel"], first: int) -> None:
        """Add up the image positions of a layer's output over (a part of) the prompt; look for sink channels if none are given."""
        here = self.image[:, first : first + hidden.shape[1]].float()
        total = torch.einsum("rp,rpc->rc", here, hidden.float())
        self.sums[layer] = total if layer not in self.sums else self.sums[layer] + total
        if self.setting.sink_channels is None:
            real = self.setting.groups[:, first : first + hidden.shape[1]] >= 0
            self.found.setdefault(layer, []).append(massive_channels(hidden[real]))

    def reduce(self, step: Step):
        """Angles in rad, "layer row channels"; NaN where there is no reference."""
        hidden = step.hidden.float()
        if self.references is None:
            self.keep = self._kept_channels(hidden)
            count = self.image.sum(1, keepdim=True)
            image = torch.stack([self.sums[layer] for layer in range(len(hidden))]) / count  # 0 / 0 is NaN: no image
            self.references = torch.stack((torch.full_like(hidden, torch.nan), image, hidden))
            self.sums = {}
        newest = hidden.expand_as(self.references)
        turned = torch.stack((angle(newest, self.references), angle(newest * self.keep, self.references * self.keep)), dim=-1)
        self.references[0] = hidden
        return dict(zip(self.variables, turned, strict=True))

    def _kept_channels(self, hidden: Tensor) -> Float[Tensor, "layer 1 channel"]:
        keep = torch.ones((len(hidden), 1, hidden.shape[-1]), device=hidden.device)
        for layer, channels in enumerate(self.sink_channels):
            keep[layer, 0, list(channels)] = 0
        return keep
