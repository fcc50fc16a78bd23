"""Decoding steps read from a model while it generates; nnsight is known to `tracing.py` alone."""
