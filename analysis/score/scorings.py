"""What existing answers are scored by, by name. One more is a file and a line here, under the name of its metric in `METRICS`."""

from analysis.score.amber import AmberScoring
from analysis.score.chair import ChairScoring
from analysis.score.halbench import HalBenchScoring
from analysis.score.opope import OpopeScoring
from analysis.score.options import Scoring
from analysis.score.pope import PopeScoring

SCORINGS: dict[str, type[Scoring]] = {
    "chair": ChairScoring,
    "pope": PopeScoring,
    "opope": OpopeScoring,
    "amber": AmberScoring,
    "halbench": HalBenchScoring,
}
