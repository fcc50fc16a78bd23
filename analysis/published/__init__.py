"""Real captions: do methods lower CHAIR by seeing better, by saying less, or by repeating? `python -m analysis.published`."""
