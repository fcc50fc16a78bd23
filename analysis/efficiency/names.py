"""Numbers that options and shapes share; nothing here loads torch."""

IMAGE_TOKENS = 576
"""Of an image, in LLaVA-1.5."""
