"""Existing captions and answers on the field's benchmarks: one file a benchmark, and what they share."""
