"""What captions and answers are worth: one unrounded record a caption; aggregation is separate."""

from analysis.metrics.amber import AmberMetric
from analysis.metrics.chair import Chair
from analysis.metrics.halbench import HalBench
from analysis.metrics.opope import Opope
from analysis.metrics.pope import Pope

METRICS = {metric.name: metric for metric in (Chair, Pope, Opope, AmberMetric, HalBench)}
"""By name as on the command line; a new metric is one file and one entry."""
