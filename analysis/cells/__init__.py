"""Cells, each a way of smoothing: run, kept, reduced and counted; what the ablation and the sensitivity share."""
