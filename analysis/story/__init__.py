"""What smoothing does to captions, in one figure and a few sentences over all subjects. `python -m analysis.story`."""
