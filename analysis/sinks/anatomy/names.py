"""Names of the axes, and the thresholds: what a redraw needs to know without loading a model's libraries."""

SCENES = 60
"""Images that are looked at, the first ones: a head's rank varies little between captions."""
MEASURES = ("stable", "effective")
"""Stable rank, squared Frobenius over squared spectral norm; effective rank, exp of the entropy of normalised singular values."""
VERSIONS = ("observed", "without", "uniform")
"""Attention as it is; with the head's most read key hidden and rows renormalised; and uniform over the keys that each query sees."""
HEADS = ("sink", "other")
"""Heads that give their most read key more than `SINK` of their attention, and the others."""
SINK = 0.3
"""Share of a head's attention over a caption: the threshold of mean received attention (Gu et al., arXiv 2410.10781)."""
ONE = 1.1
"""A stable rank below this counts as one."""
OUTLIER = 5.0
"""Robust z of a patch's norm above which it is an outlier: 3 in ten million under a normal law."""
PLACES = ("prompt", "image", "generated")
"""Where secondary sinks lie; prompt is all prompt text behind the first token."""
