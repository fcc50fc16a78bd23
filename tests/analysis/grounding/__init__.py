"""The tests of analysis/grounding."""
