"""Sets a configuration right that asks for attention whose rows cannot be read."""

from typing import Any

ATTENTION = ("sdpa", "eager")
"""Implementations whose newest row can be read and whose cache can be edited."""


def with_readable_attention(config: Any) -> str | None:
    """Have a configuration leave the choice to transformers where it, or that of a part, asks for other attention.

    Parameters
    ----------
    config : changed in place

    Returns
    -------
    told : what was changed; None where nothing was
    """
    parts = [part for key in config.sub_configs if (part := getattr(config, key, None)) is not None]
    asked = [part._attn_implementation for part in (config, *parts)]
    other = next((one for one in asked if one is not None and one not in ATTENTION), None)
    if other is None:
        return None
    config._attn_implementation = None
    return f"config.json asks for {other}, whose rows cannot be read; loaded with transformers' usual attention instead."
