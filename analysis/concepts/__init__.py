"""Three drawings that teach the words: a sink, drift, and what is smoothed when. `python -m analysis.concepts`."""
