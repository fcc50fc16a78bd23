"""All simulations, in the order of the table."""

from analysis.stats.calibration import detectors, intervals, maps, models, permutations, sizes, trends

SIMULATIONS = tuple(
    simulation for room in (intervals, trends, permutations, maps, sizes, detectors, models) for simulation in room.SIMULATIONS
)
