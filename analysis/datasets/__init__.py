"""Benchmarks as their owners distribute them: one loader a file."""
