"""Sentences held fixed: the model chooses the objects alone. Does smoothing change what is said? `python -m analysis.form`."""
