"""Do the statistics hold what they promise? Levels under true nulls and coverages of known truths, by simulation, one idea a file.

`python -m analysis.stats.calibration` runs all of them and writes the table of docs/statistics.md; the slow tests run the same
simulations with fewer samples.
"""
