"""How long the prompts are whose statistics are timed; apart, so that help need not wait for torch."""

LENGTHS = (1024, 4096, 8192)
"""Tokens."""
