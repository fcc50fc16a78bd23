"""The ablation: cells that change one thing at a time, compared over images. `python -m analysis.ablation`."""
