"""Tests of analysis/language."""
