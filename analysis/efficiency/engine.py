"""What a second worker brings: captions a minute of the bundled subject in this process, and with one and two workers on Ray.

`python -m analysis.engine.cost [--json figures/efficiency/engine.json]` lets every arm describe the same scenes in the same batches with
one torch thread a worker, round after round in an order that rotates. A clock runs from the first batch's begin to the last one's end;
workers wait for each other before they begin, so what it takes to start Ray and to load the model is apart. The ratio of two arms is that
of the same round. How busy the machine was with other things is measured before each arm: on a busy one the ratios say nothing, and the
processor's time a caption says what of a slowdown is the arm's own.
"""

import statistics
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from tqdm import tqdm

from analysis.engine.batch import Batch, Maker, Worker
from analysis.engine.local import LocalEngine
from analysis.engine.ray_cluster import RayEngine
from probes.command.cli import BadInput, quiet
from probes.command.files import write_bytes
from probes.command.terminal import say
from probes.options import check_positive

PATIENCE = 300.0  # seconds that a worker waits for the others to be made
ARMS = {"in_process": 0, "ray_1": 1, "ray_2": 2}


@dataclass(frozen=True)
class EngineCostConfig:
    """Captions a minute in this process, with one worker and with two on Ray, one thread each."""

    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "--json cost.json",
        "--images 40 --rounds 1",
    )
    json: Path | None = None
    """results file; printed only when left out"""
    images: int = 240
    """scenes that are described"""
    batch_size: int = 10
    """scenes a batch"""
    max_new_tokens: int = 128
    """tokens a caption may have"""
    rounds: int = 3
    """rounds; the medians are taken over them"""
    debug: bool = False
    """show the trace of an error"""

    def __post_init__(self):
        check_positive(self, "images", "batch_size", "max_new_tokens", "rounds")


@dataclass(frozen=True)
class Timed:
    """Makes a worker that stamps its results, and begins when as many are made as there will be.

    Parameters
    ----------
    make : of the worker
    workers : that there will be
    folder : where they find each other
    """

    make: Maker
    workers: int
    folder: Path

    def __call__(self) -> Worker:
        worker = self.make()
        with tempfile.NamedTemporaryFile(dir=self.folder, delete=False):
            until = time.monotonic() + PATIENCE
        while len(list(self.folder.iterdir())) < self.workers:
            if time.monotonic() > until:
                raise TimeoutError(f"the others were not made in {PATIENCE:.0f} seconds")
            time.sleep(0.01)

        def work(payloads: Sequence[Any]) -> list[tuple[float, float, float, str]]:
            begun, computed = time.time(), time.process_time()  # the clock is the machine's, since processes are compared
            said = worker(payloads)
            ended, computed = time.time(), time.process_time() - computed
            return [(begun, ended, computed / len(said), one.text) for one in said]

        return work


def measure(config: EngineCostConfig, workers: int, batches: Sequence[Batch]) -> dict[str, Any]:
    """One arm once: captions a minute, seconds before the first batch, processor seconds a caption, what was busy before, the captions."""
    from analysis.answering.answering import Answering

    busy = busy_share(1.0)
    engine = RayEngine(workers=workers, gpus_per_worker=0) if workers else LocalEngine()
    with tempfile.TemporaryDirectory() as folder:
        make = Timed(Answering(max_new_tokens=config.max_new_tokens), max(1, workers), Path(folder))
        begun = time.time()
        outcomes = {one.key: one for some in engine.run(make, batches) for one in some}
    failed = next((one.error for one in outcomes.values() if one.error), "")
    if failed:
        raise BadInput(f"an item failed, so nothing was measured: {failed}")
    first, last = min(one.result[0] for one in outcomes.values()), max(one.result[1] for one in outcomes.values())
    return {
        "captions_per_minute": 60 * len(outcomes) / (last - first),
        "startup_seconds": first - begun,
        "busy_before": busy,
        "processor_seconds": sum(one.result[2] for one in outcomes.values()) / len(outcomes),
        "captions": {key: outcomes[key].result[3] for key in sorted(outcomes)},
    }


def busy_share(seconds: float) -> float | None:
    """The share of all processors' time that was not idle within the seconds; None where the system does not tell."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return None
    before = [int(part) for part in stat.read_text(encoding="utf-8").split("\n", 1)[0].split()[1:9]]
    time.sleep(seconds)
    spent = [int(part) - one for part, one in zip(stat.read_text(encoding="utf-8").split("\n", 1)[0].split()[1:9], before, strict=True)]
    return 1 - (spent[3] + spent[4]) / max(1, sum(spent))


def summary(rounds: Sequence[dict[str, dict[str, Any]]]) -> dict[str, Any]:
    """Medians over rounds, ratios within a round, and whether every arm said the same."""
    names = ("captions_per_minute", "startup_seconds", "processor_seconds", "busy_before")
    found = {name: {arm: [one[arm][name] for one in rounds] for arm in rounds[0]} for name in names}
    speed = found["captions_per_minute"]
    ratios = {
        f"{over}/{under}": [a / b for a, b in zip(speed[over], speed[under], strict=True)]
        for over, under in (("ray_2", "ray_1"), ("ray_1", "in_process"), ("ray_2", "in_process"))
    }
    said = [one[arm]["captions"] for one in rounds for arm in one]
    medians = {name: statistics.median(values) for name, values in ratios.items()}
    return {"ratios": medians, "rounds": {**found, "ratios": ratios}, "same_captions": all(one == said[0] for one in said)}


def perform(config: EngineCostConfig) -> None:
    """Measure, print, and write the file if one is asked for."""
    import torch

    from analysis.answering import Query
    from probes.command.provenance import provenance
    from probes.command.strict_json import json_text
    from probes.subjects.emoji import scenes

    quiet()
    if config.json is not None:
        from analysis.score.results import must_be_writable  # only now: --help need not wait for the metrics

        must_be_writable(config.json)
    torch.set_num_threads(1)
    queries = [Query(str(scene.image_id), scene.image_id, scene.image) for scene in scenes(config.images)]
    parts = [queries[i : i + config.batch_size] for i in range(0, len(queries), config.batch_size)]
    batches = [Batch(tuple(one.key for one in part), tuple(part)) for part in parts]
    rounds, arms = [], list(ARMS)
    with tqdm(total=config.rounds * len(ARMS), desc="arms", disable=None) as bar:
        for number in range(config.rounds):
            order = arms[number % len(arms) :] + arms[: number % len(arms)]
            found = {}
            for arm in order:
                bar.set_postfix_str(arm)
                found[arm] = measure(config, ARMS[arm], batches)
                bar.update()
            rounds.append({arm: found[arm] for arm in arms})
    told = summary(rounds)
    for line in lines(told):
        say(line)
    if config.json is not None:
        made = provenance({name: value for name, value in asdict(config).items() if name != "json"})
        write_bytes(config.json, (json_text({**told, "provenance": made}, indent=1) + "\n").encode())


def lines(told: dict[str, Any]) -> list[str]:
    """What a person reads."""
    found = told["rounds"]
    rows = [
        f"{arm}: {statistics.median(found['captions_per_minute'][arm]):.0f} captions a minute, "
        f"{1000 * statistics.median(found['processor_seconds'][arm]):.0f} ms of a processor each, "
        f"{statistics.median(found['startup_seconds'][arm]):.1f} s before the first batch"
        for arm in ARMS
    ]
    rows += [f"{name}: {value:.2f} ({', '.join(f'{one:.2f}' for one in found['ratios'][name])})" for name, value in told["ratios"].items()]
    busy = [share for shares in found["busy_before"].values() for share in shares if share is not None]
    if busy:
        rows.append(f"processors busy with other things before an arm: {statistics.median(busy):.0%} (most {max(busy):.0%})")
    rows.append("every arm said the same" if told["same_captions"] else "the arms did not say the same")
    return rows
