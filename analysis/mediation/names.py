"""Names of arms and worlds: what a redraw needs to know without loading a model's libraries."""

from analysis.cells.names import MIX_WORDS

# Y(content, rows): 0 is the baseline, 1 the smoothed run
WORLDS = {
    "00": "baseline",
    "11": "smoothed",
    "10": "smoothed, with the baseline's attention rows",
    "01": "baseline, with the smoothed run's attention rows",
    "clamped": "smoothed, each head's visual mass as in the baseline",
}
METHOD, CONSTANT = "kvsmooth", "constant"
MIXES = ("shrink_only", "norm_preserving", "random_direction")
ARMS = (METHOD, CONSTANT, *MIXES)
"""The method, a constant rate of its mean, and mixes that keep one half of what it does, or neither."""
WORDS = {
    METHOD: "KVSmooth",
    CONSTANT: "constant rate, same mean",
    **MIX_WORDS,
}
