"""Sinks taken apart: ranks, outliers and lives against loops and planted truths."""
