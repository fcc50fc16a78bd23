"""Sink detectors against the attention that tokens receive: statistics against loops, planted truths, the command itself."""
