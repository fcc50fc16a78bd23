"""The readers of a caption's words under their former name; they live in `analysis.words.readers`."""

from analysis.words.readers import Bundled, Exact, Reader, reader

__all__ = ["Bundled", "Exact", "Reader", "reader"]
