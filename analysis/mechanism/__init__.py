"""Is the mechanism KVSmooth's own, or any disturbance's of that size? `python -m analysis.mechanism`."""
