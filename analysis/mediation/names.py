"""Names of arms and worlds: what a redraw needs to know without loading a model's libraries."""

# Y(content, rows): 0 is the baseline, 1 the smoothed run
WORLDS = {
    "00": "baseline",
    "11": "smoothed",
    "10": "smoothed, with the baseline's attention rows",
    "01": "baseline, with the smoothed run's attention rows",
    "clamped": "smoothed, each head's visual mass as in the baseline",
}
ARMS = ("kvsmooth", "constant")
