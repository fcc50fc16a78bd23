"""Which part of a decoder is smoothed, by the names that cells have: places in a layer, and bands of layers."""

from collections.abc import Sequence

PLACES = {
    "both": {},
    "keys": {"values": False},
    "values": {"keys": False},
    "output": {"keys": False, "values": False, "output": True},
}


def span(layers: Sequence[int]) -> str:
    """Layers as "3-10", or as numbers where they do not follow each other."""
    if len(layers) > 1 and list(layers) == list(range(layers[0], layers[-1] + 1)):
        return f"{layers[0]}-{layers[-1]}"
    return " ".join(map(str, layers))
