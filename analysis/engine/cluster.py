"""A Ray of our own for as long as it is needed, or a running one; and how many workers find room in it. Ray is known here only."""

import logging
import os
import shutil
import signal
import socket
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import ModuleType
from typing import Any

from probes.command.cli import BadInput, one_line

OBJECT_STORE = 256 * 2**20  # bytes of shared memory for what is under way between driver and workers: a batch a worker
REACHED = 5.0  # seconds that a cluster may take to answer at its address
QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # the behaviour to come; without it a FutureWarning
    "RAY_DEDUP_LOGS_SKIP_REGEX": "^",  # every line: a lost worker is told by the outcomes, not by twenty lines of the cluster
}
START = 300
"""Seconds that a Ray of our own may take to start, where the environment does not say; 30 by itself, too few on a busy machine."""
PATIENT = {"RAY_gcs_server_port_wait_time_s": str(START), "RAY_raylet_start_wait_time_s": str(START)}


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
    if address:
        _check_that_somebody_listens(ray, address)
    terminate = signal.getsignal(signal.SIGTERM)
    # the default folder keeps the logs of every run for ever; a longer path than this would not do for a socket
    folder = None if address else Path(tempfile.mkdtemp(prefix="ray-", dir="/tmp"))
    own = {"num_cpus": cpus, "num_gpus": gpus, "include_dashboard": False, "object_store_memory": OBJECT_STORE, "_temp_dir": str(folder)}
    try:
        try:
            with _settings():
                ray.init(address=address or "local", log_to_driver=False, configure_logging=False, **({} if address else own))
        except Exception as error:  # Ray says it with a dozen classes
            if address:
                raise BadInput(_unreachable(address, one_line(error))) from error
            raise BadInput(f"Ray cannot be started on this machine: {_why(error)}; --engine local needs none.") from error
        yield ray
    finally:
        with _settings():
            ray.shutdown()
        if threading.current_thread() is threading.main_thread():
            signal.signal(signal.SIGTERM, terminate)  # Ray puts its own there and leaves it
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)


def _why(error: Exception) -> str:
    """What Ray says when it does not start; of its own time limits it knows no way out."""
    said = one_line(error)
    if "timed out" in said.lower():
        return f"it was not ready in time; wait until less runs beside it, or set {' and '.join(PATIENT)} to more seconds"
    return said[:300].rstrip(".")


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


def _check_that_somebody_listens(ray: ModuleType, address: str) -> None:
    """Refuse an address where nobody answers; Ray itself asks for minutes, and says so in lines of its own."""
    host, _, port = address.removeprefix("ray://").rpartition(":")
    if not port.isdigit():  # "auto", or what Ray refuses at once
        return
    hosts = (host, ray.util.get_node_ip_address()) if host in ("127.0.0.1", "localhost") else (host,)
    for one in hosts:
        try:
            socket.create_connection((one.strip("[]"), int(port)), timeout=REACHED).close()
            return
        except (OSError, OverflowError) as error:
            why = one_line(error) if not isinstance(error, OSError) else error.strerror or str(error)
    raise BadInput(_unreachable(address, why))


def _unreachable(address: str, why: str) -> str:
    return f"the Ray cluster at {address} cannot be reached: {why[:200].rstrip('.')}; check it with 'ray status', or leave out --address."


def _imported() -> ModuleType:
    try:
        with _settings():  # Ray reads most of it as it is imported
            import ray
    except ImportError:
        raise BadInput(
            "--engine ray needs Ray, which is not installed: pip install '.[cluster]' from a clone of kvsmooth, or use --engine local."
        ) from None
    return ray


@contextmanager
def _settings() -> Iterator[None]:
    """Within the block Ray is quiet and waits long enough; what the environment says itself stays."""
    wanted = QUIET | PATIENT
    before = {name: os.environ.get(name) for name in wanted}
    logger = logging.getLogger("ray")
    level = logger.level
    os.environ.update({name: value for name, value in wanted.items() if before[name] is None})
    logger.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        logger.setLevel(level)
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
