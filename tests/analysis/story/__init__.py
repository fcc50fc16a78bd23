"""The tests of analysis/story."""
