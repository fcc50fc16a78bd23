"""Sink detectors: how much of a sink each token is. One detector a file, listed in `SINKS`; each file draws itself when run."""

from kvsmooth.sinks.bos_cosine import BosCosine
from kvsmooth.sinks.column_product import ColumnProduct
from kvsmooth.sinks.column_sum import ColumnSum
from kvsmooth.sinks.detector import Detector
from kvsmooth.sinks.first_tokens import FirstTokens
from kvsmooth.sinks.key_norm import KeyNorm
from kvsmooth.sinks.key_outlier import KeyOutlier
from kvsmooth.sinks.massive_activation import MassiveActivation
from kvsmooth.sinks.mean_received import MeanReceived
from kvsmooth.sinks.mid_sequence import MidSequence
from kvsmooth.sinks.punctuation import Punctuation
from kvsmooth.sinks.residual_peak import ResidualPeak
from kvsmooth.sinks.row_entropy import RowEntropy
from kvsmooth.sinks.sink_gap import SinkGap
from kvsmooth.sinks.sink_head import SinkHead
from kvsmooth.sinks.tag_variance import TagVariance
from kvsmooth.sinks.value_drain import ValueDrain
from kvsmooth.sinks.view import Prompt, View
from kvsmooth.sinks.visual_sink import VisualSink

SINKS: dict[str, type[Detector]] = {
    detector.name: detector
    for detector in (
        FirstTokens,
        MeanReceived,
        ColumnSum,
        MidSequence,
        ColumnProduct,
        RowEntropy,
        MassiveActivation,
        VisualSink,
        ValueDrain,
        KeyNorm,
        KeyOutlier,
        SinkGap,
        ResidualPeak,
        SinkHead,
        TagVariance,
        BosCosine,
        Punctuation,
    )
}

Seen = View
"""Its former name, for detectors that are written by it."""

__all__ = [
    "SINKS",
    "BosCosine",
    "ColumnProduct",
    "ColumnSum",
    "Detector",
    "FirstTokens",
    "KeyNorm",
    "KeyOutlier",
    "MassiveActivation",
    "MeanReceived",
    "MidSequence",
    "Prompt",
    "Punctuation",
    "ResidualPeak",
    "RowEntropy",
    "Seen",
    "SinkGap",
    "SinkHead",
    "TagVariance",
    "ValueDrain",
    "View",
    "VisualSink",
]
