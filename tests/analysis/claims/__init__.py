"""The tests of analysis/claims."""
