"""Where items are worked on: in this process, or on a Ray cluster."""

from analysis.engine.batch import Batch, Engine, Maker, Outcome, Worker
from analysis.engine.local import LocalEngine
from analysis.engine.ray_cluster import RayEngine
from probes.command.cli import BadInput

ENGINES = ("local", "ray")

__all__ = ["ENGINES", "Batch", "Engine", "LocalEngine", "Maker", "Outcome", "RayEngine", "Worker", "engine"]


def engine(
    name: str, address: str | None = None, workers: int | None = None, gpus_per_worker: int | float | None = None, threads: int = 1
) -> LocalEngine | RayEngine:
    """The engine of that name; what the options mean is `RayEngine`'s.

    Raises
    ------
    BadInput : there is no such engine, or an option of a cluster is given to one that has none
    """
    if name == "ray":
        return RayEngine(address, workers, gpus_per_worker, threads)
    if name != "local":
        raise BadInput(f"--engine {name}: there is no such engine; choose from {', '.join(ENGINES)}.")
    for option, value in (("address", address), ("workers", workers), ("gpus-per-worker", gpus_per_worker)):
        if value is not None:
            raise BadInput(f"--{option} {value}: the engine of this process has none; add --engine ray, or leave it out.")
    return LocalEngine()
