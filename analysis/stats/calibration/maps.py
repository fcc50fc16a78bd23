"""Level of corrections over a whole map, on maps whose neighbouring cells resemble each other."""

from typing import Any

from scipy.ndimage import gaussian_filter

from analysis.stats.calibration.simulation import Claim, Simulation, seed_of
from analysis.stats.cluster_mass import ADJACENCIES, cluster_mass, over_map


def _maps(rng):
    smooth = gaussian_filter(rng.standard_t(4, size=(20, 8, 12)), (0, 1, 1))
    options: dict[str, Any] = {"draws": 499, "seed": seed_of(rng)}
    clusters = [cluster_mass(smooth, adjacency, **options).p.min(initial=1.0) for adjacency in ADJACENCIES]
    return *[p <= 0.05 for p in clusters], over_map(smooth, **options).min() <= 0.05


SIMULATIONS = (
    Simulation(
        "maps",
        "20 images, 8 layers x 12 columns, smooth over neighbours, no difference anywhere",
        (
            *[Claim(f"cluster_mass.cluster_mass: any cluster, {adjacency}", "level") for adjacency in ADJACENCIES],
            Claim("cluster_mass.over_map: max-T, any cell", "level"),
        ),
        _maps,
        800,
    ),
)
