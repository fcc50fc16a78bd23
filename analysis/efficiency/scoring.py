"""What it costs to score 5,000 captions against COCO 2014 at its full size, cold and warm, beside reading the same files by `json.load`.

`python -m analysis.score_cost` writes synthetic files of that size into a temporary folder, runs `python -m analysis.score chair` as a user
would, and removes them. Cold is an empty cache, warm the same command again. Memory is the peak that the system tells of the whole process;
it is never told as less than that of the process which started it, which is given beside it.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar

from analysis.efficiency.fresh import own_peak, peak_bytes
from probes.command.cli import BadInput
from probes.command.files import write_bytes
from probes.command.provenance import provenance
from probes.command.strict_json import json_text
from probes.command.terminal import say
from probes.options import check_positive

BARS = {"cold": 240.0, "warm": 20.0, "memory": 2e9}
"""Seconds, seconds and bytes that were asked for at full size with 5,000 captions."""
PLACES = ("out", "folder")
"""Options that say where, and decide no number: not in the results."""
PEER = "import json, sys\nfor path in sys.argv[1:]:\n    with open(path, 'rb') as file:\n        json.load(file)"


@dataclass(frozen=True)
class ScoreCostConfig:
    """Cost of scoring captions against COCO 2014, cold and warm."""

    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "--out cost.json",
        "--share 0.05 --captions 500 --rounds 1",
    )
    out: Path | None = None
    """results file; printed only when left out"""
    share: float = 1.0
    """of COCO 2014's images, instances and captions; the bars count for 1"""
    captions: int = 5000
    """captions that are scored, each of another image"""
    rounds: int = 3
    """warm runs; the median is told"""
    folder: Path | None = None
    """where the temporary files lie (0.6 GB at full size); the system's place if left out"""
    seed: int = 0
    """of the synthetic files"""
    debug: bool = False
    """show the trace of an error"""

    def __post_init__(self):
        if not 0 < self.share <= 1:
            raise BadInput(f"ScoreCostConfig.share must be above 0 and at most 1; got {self.share}.")
        check_positive(self, "captions", "rounds")


@dataclass(frozen=True)
class Spent:
    """Wall time in seconds and peak memory in bytes of one process."""

    seconds: float
    memory: int


def spent(words: Sequence[str]) -> Spent:
    """What a command costs from its start to its end.

    Raises
    ------
    BadInput : it fails; the last line that it said
    """
    started = time.perf_counter()
    # the complaint goes to a file: a pipe that nobody empties would stop a talkative command
    with tempfile.TemporaryFile() as complaint:
        process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=complaint)
        try:
            _, status, usage = os.wait4(process.pid, 0)
        except BaseException:
            process.kill()
            process.wait()
            raise
        process.returncode = os.waitstatus_to_exitcode(status)
        if process.returncode:
            complaint.seek(0)
            said = complaint.read().decode(errors="replace").strip().splitlines() or [f"it ended with status {process.returncode}"]
            raise BadInput(f"{' '.join(words[1:4])} failed: {said[-1]}")
    return Spent(time.perf_counter() - started, peak_bytes(usage.ru_maxrss))


def measure(config: ScoreCostConfig) -> dict[str, Any]:
    """Write the files, run every command; the content of the results file."""
    from tqdm import tqdm

    from analysis.datasets.synthetic_coco import CocoSize, synthetic_captions, write_synthetic_coco

    modes = _modes()
    with (
        tempfile.TemporaryDirectory(dir=config.folder) as made,
        tqdm(total=2 + len(modes) * (1 + config.rounds), desc="runs", disable=not sys.stderr.isatty()) as progress,
    ):
        folder = Path(made)
        size = CocoSize.scaled(config.share)
        files = sorted(write_synthetic_coco(folder / "annotations", size, config.seed).iterdir())
        said = synthetic_captions(_image_ids(files), config.captions, config.seed)
        (folder / "captions.jsonl").write_text("".join(json.dumps(row) + "\n" for row in said), encoding="utf-8")
        progress.update()
        peer = spent([sys.executable, "-c", PEER, *map(str, files)])
        progress.update()
        runs = {mode: _runs(folder, mode, config.rounds, progress) for mode in modes}
        bytes_read = {path.name: path.stat().st_size for path in files}
    return {
        "runs": runs,
        "json_load": {"seconds": peer.seconds, "memory": peer.memory},
        "ratios": {mode: {name: runs[mode][name] / peer.seconds for name in ("cold", "warm")} for mode in modes}
        | {"memory": {mode: runs[mode]["memory"] / peer.memory for mode in modes}},
        "bars": bars(runs),
        "size": {name: sum(count for _, count in getattr(size, name)) for name in ("images", "instances", "captions")}
        | {"scored": config.captions, "bytes": bytes_read},
        "starter_memory": own_peak(),
        "load": os.getloadavg()[0],
        "cpus": os.cpu_count(),
        "provenance": provenance({name: value for name, value in asdict(config).items() if name not in PLACES}),
    }


def bars(runs: dict[str, dict[str, float]]) -> list[dict[str, Any]]:
    """What was asked for, what was measured in each mode, and whether that is met."""
    told: list[dict[str, Any]] = [
        {"mode": mode, "what": what, "value": run[what], "bar": bar} for mode, run in runs.items() for what, bar in BARS.items()
    ]
    return [row | {"met": row["value"] < row["bar"]} for row in told]


def table(results: dict[str, Any]) -> str:
    """The results as aligned text."""
    size = results["size"]
    head = f"{size['scored']:,} captions; {size['images']:,} images, {size['instances']:,} instances, {size['captions']:,} human captions"
    lines = [f"{head}, {sum(size['bytes'].values()) / 1e6:.0f} MB", f"{'':<12}{'cold s':>10}{'warm s':>10}{'peak MB':>10}"]
    for mode, run in results["runs"].items():
        lines.append(f"{mode:<12}{run['cold']:>10.1f}{run['warm']:>10.1f}{run['memory'] / 1e6:>10.0f}")
    peer = results["json_load"]
    lines.append(f"{'json.load':<12}{peer['seconds']:>10.1f}{'':>10}{peer['memory'] / 1e6:>10.0f}")
    lines += [f"{row['mode']}, {row['what']}: {'met' if row['met'] else 'not met'} ({row['bar']:g})" for row in results["bars"]]
    lines.append(f"load {results['load']:.1f} on {results['cpus']} processors at the end; memory is at least the starter's, ")
    lines[-1] += f"{results['starter_memory'] / 1e6:.0f} MB"
    return "\n".join(lines)


def _runs(folder: Path, mode: str, rounds: int, progress: Any) -> dict[str, Any]:
    words = [sys.executable, "-m", "analysis.score", "chair", "--captions", str(folder / "captions.jsonl")]
    words += ["--annotations", str(folder / "annotations"), "--json", str(folder / f"{mode}.json"), "--mode", mode]
    words += ["--cache", str(folder / f"cache-{mode}")]
    done = []
    for _ in range(1 + rounds):
        done.append(spent(words))
        progress.update()
    warm = [run.seconds for run in done[1:]]
    cold = done[0]
    return {
        "cold": cold.seconds,
        "warm": statistics.median(warm),
        "warm_range": [min(warm), max(warm)],
        "memory": max(run.memory for run in done),
        "memory_warm": max(run.memory for run in done[1:]),
    }


def _modes() -> list[str]:
    from analysis.words.readers import Exact

    try:
        Exact()
    except BadInput:
        return ["bundled"]
    return ["bundled", "exact"]


def _image_ids(files: Sequence[Path]) -> list[int]:
    from analysis.datasets.coco_files import AnnotationFile

    found: list[int] = []
    for path in files:
        if path.name.startswith("captions_"):  # the smaller ones
            found += [row["id"] for section, _, row in AnnotationFile(path, "captions").rows() if section == "images"]
    return found


def main(config: ScoreCostConfig) -> None:
    """Measure, write, print."""
    if config.out is not None:
        from analysis.score.results import must_be_writable  # only now: --help need not wait for the metrics

        must_be_writable(config.out, option="--out")
    results = measure(config)
    if config.out is not None:
        write_bytes(config.out, (json_text(results, indent=1) + "\n").encode())
    say(table(results))
