"""Methods of others, and controls, under the same door as KVSmooth: `with PAI(alpha=0.2)(model) as run`. Listed in `METHODS`."""

from kvsmooth.baselines.eos_bias import EosBias
from kvsmooth.baselines.errors import NothingChanged
from kvsmooth.baselines.image_bias import ImageBias
from kvsmooth.baselines.method import Method
from kvsmooth.baselines.middle_layer import MiddleLayer
from kvsmooth.baselines.pai import PAI
from kvsmooth.baselines.receipts import Receipts
from kvsmooth.baselines.repetition_penalty import RepetitionPenalty
from kvsmooth.baselines.vaf import VAF

_ALL: tuple[type[Method], ...] = (ImageBias, EosBias, RepetitionPenalty, PAI, MiddleLayer, VAF)
METHODS: dict[str, type[Method]] = {method.name: method for method in _ALL}

__all__ = ["METHODS", "PAI", "VAF", "EosBias", "ImageBias", "Method", "MiddleLayer", "NothingChanged", "Receipts", "RepetitionPenalty"]
