"""Begins a detector, recorder, metric or question: stubs, and the tests that fail until they are written and listed."""
