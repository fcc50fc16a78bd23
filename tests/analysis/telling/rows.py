"""Rows of results made up by the side on which their corrected test rejects."""

SIGNS = (-1, 0, 1)


def row(sign, null=0.0, name="", size=0.3, **more):
    """A row whose corrected test rejects on the given side of `null`; for 0 one that lies above it and does not reject."""
    estimate = null + size * (sign or 1)
    told = {"name": name, "estimate": estimate, "interval": [estimate - 0.1, estimate + 0.1], "n": 9, "reason": "", "effect": {}}
    return told | {"p": 0.01, "p_adjusted": 0.2 if sign == 0 else 0.01, "role": "primary", "where": {}} | more
