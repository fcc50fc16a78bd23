"""Every question by one command, in lanes. `python -m analysis.regenerate`."""
