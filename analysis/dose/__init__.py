"""Which dose is fair: chosen on validation scenes by a rule in the code, then tested once on the test scenes. `python -m analysis.dose`."""
