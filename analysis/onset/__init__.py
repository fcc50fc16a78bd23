"""What comes before a hallucinated mention: aligned curves, detectors of such mentions, and the time to the first one."""
