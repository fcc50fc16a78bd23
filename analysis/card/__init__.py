"""The bundled subject's card: what it says, how well, and whether it has sinks. `python -m analysis.card`."""
