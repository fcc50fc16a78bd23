"""Drawing on axes that are given: no numbers are made here, nothing is saved, no global style is set (style.py does both, on request)."""
