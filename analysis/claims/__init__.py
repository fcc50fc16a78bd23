"""Every claim of the paper beside what each bundled subject shows. `python -m analysis.claims`."""
