"""Methods of others, and controls, under the same door as KVSmooth: `with PAI(alpha=0.2)(model) as run`. Listed in `METHODS`."""

from kvsmooth.baselines.adaiat import AdaIAT
from kvsmooth.baselines.avisc import AVISC
from kvsmooth.baselines.deco import DeCo
from kvsmooth.baselines.dola import DoLa
from kvsmooth.baselines.eos_bias import EosBias
from kvsmooth.baselines.errors import NothingChanged
from kvsmooth.baselines.farsight import FarSight
from kvsmooth.baselines.iat import IAT
from kvsmooth.baselines.icd import ICD
from kvsmooth.baselines.image_bias import ImageBias
from kvsmooth.baselines.m3id import M3ID
from kvsmooth.baselines.method import Method
from kvsmooth.baselines.middle_layer import MiddleLayer
from kvsmooth.baselines.only import ONLY
from kvsmooth.baselines.opera import OPERA
from kvsmooth.baselines.pai import PAI
from kvsmooth.baselines.prunehal import PruneHal
from kvsmooth.baselines.random_positions import RandomPositions
from kvsmooth.baselines.receipts import Receipts
from kvsmooth.baselines.repetition_penalty import RepetitionPenalty
from kvsmooth.baselines.sid import SID
from kvsmooth.baselines.sink_redistribution import SinkRedistribution
from kvsmooth.baselines.skip_newline import SkipNewline
from kvsmooth.baselines.sparc import SPARC
from kvsmooth.baselines.tame import TAME
from kvsmooth.baselines.vaf import VAF
from kvsmooth.baselines.vcd import VCD
from kvsmooth.baselines.vista import VISTA
from kvsmooth.baselines.vti import VTI

_ALL: tuple[type[Method], ...] = (
    ImageBias,
    EosBias,
    RepetitionPenalty,
    SkipNewline,
    PAI,
    RandomPositions,
    MiddleLayer,
    SPARC,
    VAF,
    SinkRedistribution,
    FarSight,
    TAME,
    IAT,
    AdaIAT,
    VTI,
    VISTA,
    VCD,
    M3ID,
    ICD,
    AVISC,
    SID,
    ONLY,
    OPERA,
    PruneHal,
    DoLa,
    DeCo,
)
METHODS: dict[str, type[Method]] = {method.name: method for method in _ALL}

__all__ = [
    "AVISC",
    "IAT",
    "ICD",
    "M3ID",
    "METHODS",
    "ONLY",
    "OPERA",
    "PAI",
    "SID",
    "SPARC",
    "TAME",
    "VAF",
    "VCD",
    "VISTA",
    "VTI",
    "AdaIAT",
    "DeCo",
    "DoLa",
    "EosBias",
    "FarSight",
    "ImageBias",
    "Method",
    "MiddleLayer",
    "NothingChanged",
    "PruneHal",
    "RandomPositions",
    "Receipts",
    "RepetitionPenalty",
    "SinkRedistribution",
    "SkipNewline",
]
