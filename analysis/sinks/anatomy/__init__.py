"""Sinks taken apart: the rank of head outputs, outliers among an image's patches, birth and lifetime of secondary sinks."""
