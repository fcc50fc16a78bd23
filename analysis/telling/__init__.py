"""Pages and words: how results are told, and where they stand in a page."""
