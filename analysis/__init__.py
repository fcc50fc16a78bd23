"""Concludes: each question with its statistics, figures and words; captions scored on the field's benchmarks."""
