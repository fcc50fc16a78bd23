"""Runs commands as child processes, as many at a time as there are lanes; a failure ends none but its own, an interrupt ends all cleanly.

A child hears an interrupt exactly once, from here: each has a session of its own, so that the terminal does not interrupt it too.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from analysis.regenerate.screen import ChildOutput, Screen

PATIENCE = 30.0  # seconds that an interrupted child may take to put its work away
PAUSE = 0.2  # seconds between two looks at the children


@dataclass(frozen=True)
class Job:
    """A command to run.

    Parameters
    ----------
    name : in lines and records
    command : the words
    lanes : how many it fills; one that asks for more than there are fills all
    shared : what it shares with others, "" for nothing. Until one of these is done no two of them run: the first one makes what the
        others then find, and if it fails, the next one makes it
    """

    name: str
    command: tuple[str, ...]
    lanes: int = 1
    shared: str = ""


@dataclass(frozen=True)
class FinishedJob:
    """How a job ended.

    Attributes
    ----------
    status : of the process; negative, the signal that ended it
    seconds, cpu_seconds : of the clock, and of the processor with all children that it waited for
    told : the last line that it wrote
    """

    job: Job
    status: int
    seconds: float
    cpu_seconds: float
    told: str


@dataclass
class _Child:
    job: Job
    process: subprocess.Popen
    watched: ChildOutput
    begun: float


def run_jobs(jobs: Sequence[Job], lanes: int, logs: Path, screen: Screen) -> list[FinishedJob]:
    """Run the jobs, earlier ones first where lanes are free; what they write goes to `logs`/<name>.log.

    Parameters
    ----------
    screen : told one line when a job starts and one when it ends; shows the children's progress

    Raises
    ------
    KeyboardInterrupt : on SIGINT or SIGTERM, after the children have ended
    """
    logs.mkdir(parents=True, exist_ok=True)
    waiting = list(jobs)
    running: list[_Child] = []
    ended: list[FinishedJob] = []
    with _termination_is_an_interrupt(), _none_left(running):
        while waiting or running:
            for job in list(startable(waiting, [child.job for child in running], ended, lanes)):
                waiting.remove(job)
                screen.say(f"{job.name}: started")
                running.append(_start(job, logs / f"{job.name}.log", screen))
            time.sleep(PAUSE)
            screen.show()
            for child in list(running):
                found = _ended(child)
                if found is not None:
                    running.remove(child)
                    ended.append(found)
                    screen.say(line(found, child.watched.log))
    return ended


def startable(waiting: Sequence[Job], running: Sequence[Job], ended: Sequence[FinishedJob], lanes: int) -> Iterator[Job]:
    """The jobs that may start now, in their order: lanes are free for them, and what they share is there or nobody else makes it."""
    active, made = list(running), {one.job.shared for one in ended if one.status == 0}
    for job in waiting:
        free = lanes - sum(min(one.lanes, lanes) for one in active)
        makes = job.shared and job.shared not in made
        if min(job.lanes, lanes) <= free and not (makes and any(one.shared == job.shared for one in active)):
            active.append(job)
            yield job


def line(found: FinishedJob, log: Path) -> str:
    """One line on a job that has ended; a failure says why, and what to do."""
    spent = f"{found.seconds / 60:.1f} minutes, {found.cpu_seconds / 60:.1f} of the processor"
    if found.status == 0:
        return f"{found.job.name}: done in {spent}"
    how = f"signal {-found.status}" if found.status < 0 else f"status {found.status}"
    why = found.told or f"it wrote nothing and ended with {how}"
    return f"{found.job.name}: failed after {spent}: {why} (all that it wrote: {log}). Mend that; what is finished is kept."


def _start(job: Job, log: Path, screen: Screen) -> _Child:
    watched = screen.watch(job.name, log)
    with watched.ends() as (out, error):
        process = subprocess.Popen(
            job.command,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=error,
            start_new_session=True,
            # a child of a job in the background inherits that interrupts are ignored, and would not hear ours
            preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
            env={"OMP_NUM_THREADS": "1", **os.environ, "PYTHONUNBUFFERED": "1"},
        )
    return _Child(job, process, watched, time.perf_counter())


def _ended(child: _Child) -> FinishedJob | None:
    """What became of a child; None while it runs."""
    found, status, used = os.wait4(child.process.pid, os.WNOHANG)  # as subprocess waits, but with the processor time
    if not found:
        return None
    child.process.returncode = os.waitstatus_to_exitcode(status)
    _signal(child, signal.SIGTERM)  # what it may have left behind
    told = child.watched.close()
    return FinishedJob(child.job, child.process.returncode, time.perf_counter() - child.begun, used.ru_utime + used.ru_stime, told)


@contextmanager
def _none_left(running: list[_Child]) -> Iterator[None]:
    """End the children that still run when the block does: first as the terminal would, then harder."""
    try:
        yield
    finally:
        try:
            for number, patience in ((signal.SIGINT, PATIENCE), (signal.SIGTERM, 5.0)):
                for child in running:
                    _signal(child, number)
                _wait(running, patience)
        finally:  # a second interrupt waits for nobody
            for child in running:
                _signal(child, signal.SIGKILL)
            _wait(running, 5.0)


def _wait(running: list[_Child], patience: float) -> None:
    until = time.monotonic() + patience
    while running and time.monotonic() < until:
        for child in list(running):
            if _ended(child) is not None:
                running.remove(child)
        time.sleep(PAUSE / 4 if running else 0)


def _signal(child: _Child, number: int) -> None:
    """To the child's whole group, which a worker of its own belongs to."""
    with suppress(ProcessLookupError, PermissionError):
        os.killpg(child.process.pid, number)


@contextmanager
def _termination_is_an_interrupt() -> Iterator[None]:
    def interrupt(*_) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
