"""The tests of analysis/mechanism."""
