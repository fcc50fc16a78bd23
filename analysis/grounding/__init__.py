"""When does smoothing help: doses at several points of a subject's training. `python -m analysis.grounding`."""
