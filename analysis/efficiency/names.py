"""Numbers that options and shapes share; nothing here loads torch."""

BEAMS = 5
"""Of the arm `beams`, and of a method that is a beam search."""
LENGTHS = (1024, 4096, 8192)
"""Tokens of the prompts whose statistics are timed."""
IMAGE_TOKENS = 576
"""Of an image, in LLaVA-1.5."""
