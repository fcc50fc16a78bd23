"""KVSmooth: entropy-guided smoothing of the newest keys and values in the KV cache of a transformers model."""

from kvsmooth.errors import NothingSmoothed, Unsupported
from kvsmooth.run import Run
from kvsmooth.smoother import KVSmooth

__all__ = ["KVSmooth", "NothingSmoothed", "Run", "Unsupported"]
