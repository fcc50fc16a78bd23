"""A Ray of our own for as long as it is needed, or a running one; and how many workers find room in it. Ray is known here only."""

import logging
import os
import shutil
import signal
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from probes.cli import BadInput, one_line

OBJECT_STORE = 256 * 2**20  # bytes of shared memory for what is under way between driver and workers: a batch a worker
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # the behaviour to come; without it a FutureWarning
    "RAY_DEDUP_LOGS_SKIP_REGEX": "^",  # every line: a lost worker is told by the outcomes, not by twenty lines of the cluster
}


@contextmanager
def connected(address: str | None, cpus: int, gpus: int | None) -> Iterator[ModuleType]:
    """Ray, connected: to the cluster at `address`, which is left running, or to one on this machine that ends with the block.

    Where this process is connected already, that is used, and left as it is.

    Parameters
    ----------
    cpus, gpus : of a Ray of our own, as it counts them; None: as many GPUs as it finds

    Raises
    ------
    BadInput : Ray is not installed, or there is no cluster at the address
    """
    ray = _imported()
    if ray.is_initialized():
        yield ray
        return
    terminate = signal.getsignal(signal.SIGTERM)
    # the default folder keeps the logs of every run for ever; a longer path than this would not do for a socket
    folder = None if address else Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    own = {"num_cpus": cpus, "num_gpus": gpus, "include_dashboard": False, "object_store_memory": OBJECT_STORE, "_temp_dir": str(folder)}
    try:
        try:
            with _quiet():
                ray.init(address=address or "local", log_to_driver=False, configure_logging=False, **({} if address else own))
        except Exception as error:  # Ray says it with a dozen classes
            where = f"the Ray cluster at {address} cannot be reached" if address else "Ray cannot be started on this machine"
            raise BadInput(f"{where}: {one_line(error)[:300]}; check with 'ray status', or leave out --address.") from error
        yield ray
    finally:
        with _quiet():
            ray.shutdown()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, terminate)  # Ray puts its own there and leaves it
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def room(ray: ModuleType, cpus: int, gpus: int | float) -> int:
    """How many workers find room in the cluster as it is; a worker lives on one node.

    Parameters
    ----------
    cpus, gpus : of a worker
    """
    free = [node.get("Resources", {}) for node in ray.nodes() if node.get("Alive")]
    return sum(int(min(node.get("CPU", 0) / cpus, node.get("GPU", 0) / gpus if gpus else float("inf"))) for node in free)


def died(ray: ModuleType, error: Exception) -> bool:
    """Whether this error of `ray.get` means that the worker is lost, rather than that it raised."""
    return isinstance(error, ray.exceptions.RayError) and not isinstance(error, ray.exceptions.RayTaskError)


def end(ray: ModuleType, actor: Any) -> None:
    """End an actor's process at once, if it has not ended."""
    with suppress(ray.exceptions.RayError, ValueError):
        ray.kill(actor)


def _imported() -> ModuleType:
    try:
        with _quiet():  # Ray reads most of it as it is imported
            import ray
    except ImportError:
        raise BadInput("--engine ray needs Ray, which is not installed: pip install 'kvsmooth[cluster]', or use --engine local.") from None
    return ray


@contextmanager
def _quiet() -> Iterator[None]:
    before = {name: os.environ.get(name) for name in QUIET}
    logger = logging.getLogger("ray")
    level = logger.level
    os.environ.update({name: value for name, value in QUIET.items() if before[name] is None})
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
