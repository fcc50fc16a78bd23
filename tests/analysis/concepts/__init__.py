"""The tests of analysis/concepts."""
