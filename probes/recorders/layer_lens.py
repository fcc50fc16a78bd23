"""At which layer an object comes up."""

import torch

from probes.recorders.lens import wanted_objects
from probes.recorders.recorder import Recorder
from probes.recorders.unembedding import Unembedding
from probes.tracing.steps import GenerationSetting, Step


class LayerLens(Recorder):
    """The lens on every layer: log-probability and rank of each object if the layer's output went to final norm and output embeddings.

    The logit lens of nostalgebraist (2020). The last layer's values are those of the recorder "lens", unless a method changes the logits
    behind it; at the first step of every generation the logits read from the last layer are compared with the model's own.
    """

    name = "layer_lens"
    needs = frozenset({"hidden", "own_logits", "objects"})
    variables = ("layer_object_logprob", "layer_object_rank")

    def __init__(self, setting: GenerationSetting):
        super().__init__(setting)
        self.objects = wanted_objects(setting, self.name)
        self.unembed = Unembedding(setting.speaker)

    def reduce(self, step: Step):
        """Values of every layer's output, "layer row object"; the logits of one layer at a time are in memory.

        Raises
        ------
        Unsupported : at the first step, if norm and head do not make the model's own logits of its last layer's output
        """
        if self.unembed.behind is None:
            self.unembed.settle(step.hidden[-1], step.own_logits)
        found = [self.objects.of(self.unembed(hidden)) for hidden in step.hidden]
        return {
            "layer_object_logprob": torch.stack([values.logprob for values in found]),
            "layer_object_rank": torch.stack([values.rank for values in found]),
        }
