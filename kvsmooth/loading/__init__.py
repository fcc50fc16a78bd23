"""Checkpoints as they are met: what of their files a model would run without, and without a word."""
