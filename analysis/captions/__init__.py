"""Statistics of captions: counts of their objects, length and repetition, and a table of their mentions."""

from analysis.captions.counts import caption_counts, caption_rows
from analysis.captions.mentions import mention_table

__all__ = ["caption_counts", "caption_rows", "mention_table"]
