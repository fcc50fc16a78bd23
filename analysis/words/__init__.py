"""The words of a caption, as the public CHAIR code reads them or without any download; their tables."""
