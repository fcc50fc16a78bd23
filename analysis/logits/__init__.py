"""Observation 1: how the logits of present, hallucinated and merely typical objects move while a caption is written."""
