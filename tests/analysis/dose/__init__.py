"""The tests of analysis/dose."""
