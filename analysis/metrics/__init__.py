"""What captions and answers are worth: one unrounded record a caption; aggregation is separate."""

from analysis.metrics.opope import Opope
from analysis.metrics.pope import Pope

METRICS = {metric.name: metric for metric in (Pope, Opope)}
"""By name as on the command line; a new metric is one file and one entry."""
