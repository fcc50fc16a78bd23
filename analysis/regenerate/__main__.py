"""`python -m analysis.regenerate`: every question from scratch, or from what is already recorded; each leaves its figures and results.

Questions run as commands of their own, in as many lanes as there are workers. What is finished is kept: after an interrupt or a failure
the same command goes on from there. A question that fails loses no other.
"""

import os
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, ClassVar

from analysis.cells.names import PLAN_NAMES
from analysis.questions import ACROSS_SUBJECTS, CELLS, QUESTIONS, WHOLE, QuestionCommand, Whole
from analysis.regenerate.lanes import FinishedJob, Job, run_jobs
from analysis.regenerate.screen import Screen
from probes.command.cli import needs_posix, run_cli
from probes.command.files import write_bytes
from probes.command.provenance import git_commit
from probes.command.strict_json import json_text
from probes.command.terminal import complain, say
from probes.options import check_positive


@dataclass(frozen=True)
class RegenerateConfig:
    """All questions: what is missing is recorded and run, then reduced, tested, drawn and told.

    Committed files are written with what they state alone, which is taken where it is not named: with another number of images, another
    plan or another subject all goes to out/<subject>-<images>/.
    """

    EXAMPLES: ClassVar[tuple[str, ...]] = (
        "",
        "--images 60 --plan ladder",
        "--only drift,onset",
        "--redraw",
        "--subject smollm2",
    )
    RESUMES: ClassVar[bool] = True
    subject: str = "emoji"
    """a bundled subject: emoji or smollm2"""
    images: int | None = None
    """how many images; if none are named, as many as the committed files state, which are fewer of some questions
    (`analysis/questions.py`)"""
    plan: str | None = None
    """of the ablation: full, or of ladder (the controls of the guidance), places, dose, layers, detectors and options one or several; as
    the committed files state if none is named"""
    batch_size: int | None = None
    """images decoded together; as many as each question takes by itself, of smollm2 50"""
    workers: int = 2
    """lanes; each is a process of one thread"""
    only: tuple[str, ...] = ()
    """these questions alone, in one word with commas or in several: drift,logits"""
    out: Path = Path("figures/emoji")
    """folder with a folder for each question; times of runs over all of them in regenerate/scratch.json and again.json"""
    recordings: Path = Path("recordings")
    """folder of recordings and finished parts; what lies there is not made again"""
    docs: Path = Path("docs")
    """folder of the pages that questions write: findings.md and ablation.md"""
    redraw: bool = False
    """figures and pages from the files in --out only, without a model"""
    debug: bool = False
    """show traces of errors"""

    def __post_init__(self):
        check_positive(self, "images", "workers", "batch_size")
        if self.plan not in (None, "full") and not {*self.plan.split(",")} <= {*PLAN_NAMES[1:]}:
            raise ValueError(f"RegenerateConfig.plan must be full, or of {', '.join(PLAN_NAMES[1:])}; got {self.plan!r}.")
        if bad := [name for name in self.chosen if name not in QUESTIONS]:
            raise ValueError(f"RegenerateConfig.only must be of {', '.join(QUESTIONS)}; got {bad[0]!r}.")

    @property
    def chosen(self) -> tuple[str, ...]:
        """The questions, in the order of QUESTIONS; names that are none of them at the end."""
        asked = [name for word in self.only for name in word.split(",") if name]
        return (*(name for name in QUESTIONS if name in asked or not asked), *(name for name in asked if name not in QUESTIONS))


def main(config: RegenerateConfig) -> None:
    """Run the questions, say how each went and what they found, keep their times."""
    from analysis.regenerate.summary import summary as findings_summary

    needs_posix("here run the questions one by one, such as python -m analysis.drift")
    config = placed(config)
    complain(f"Files go to {config.out}, pages to {config.docs}, what is recorded to {config.recordings}.")
    scratch = not recorded(config)
    start = time.perf_counter()
    ended = run_jobs(jobs(config), config.workers, config.recordings / "regenerate", Screen())
    wall = time.perf_counter() - start
    if not config.redraw and set(config.chosen) >= set(QUESTIONS):
        kind = "scratch" if scratch else "again"  # their times are different claims: neither takes the other's place
        write_bytes(config.out / "regenerate" / f"{kind}.json", record(config, ended, wall, scratch).encode())
    say(summary(ended, wall))
    done = [one.job.name for one in ended if not one.status]
    pages = {name: config.docs / asked.page for name, asked in QUESTIONS.items() if name in done}
    say(findings_summary(pages, config.out, committed=config.out.parent == RegenerateConfig.out.parent))
    if any(one.status for one in ended):
        raise SystemExit(1)


def placed(config: RegenerateConfig) -> RegenerateConfig:
    """The options with the places that may be written; those that were named are kept."""
    config, stated = settled(config), WHOLE.get(config.subject)
    if stated is not None and _is_whole(config, stated):
        places = {"out": Path("figures") / config.subject, "docs": stated.docs, "recordings": stated.recordings}
        free: dict[str, Any] = {name: value for name, value in places.items() if getattr(config, name) == getattr(RegenerateConfig, name)}
        return replace(config, **free)
    from analysis.question.destination import trial

    folder = trial(config)
    out = folder if config.out == RegenerateConfig.out else config.out
    moved = {"out": out, "docs": out, "recordings": folder / "recordings"}
    asked: dict[str, Any] = {name: place for name, place in moved.items() if getattr(config, name) == getattr(RegenerateConfig, name)}
    return replace(config, **asked)


def settled(config: RegenerateConfig) -> RegenerateConfig:
    """The options with what was not named: as many images as the whole of its subject, its plan and its batches."""
    stated = WHOLE.get(config.subject, WHOLE[RegenerateConfig.subject])
    asked: dict[str, Any] = {name: getattr(stated, name) for name in ("images", "plan", "batch_size") if getattr(config, name) is None}
    return replace(config, **asked)


def _is_whole(config: RegenerateConfig, stated: Whole) -> bool:
    return (config.images, config.plan, config.batch_size) == (stated.images, stated.plan, stated.batch_size)


def recorded(config: RegenerateConfig) -> bool:
    """Whether something is recorded already; what other subjects and `ACROSS_SUBJECTS` keep inside the same folder does not count."""
    others = {whole.recordings for whole in WHOLE.values()} | {RegenerateConfig.recordings / name for name in ACROSS_SUBJECTS}
    return any(path not in others for path in config.recordings.glob("*"))


def jobs(config: RegenerateConfig) -> list[Job]:
    """The commands of the chosen questions."""
    config, stated = settled(config), WHOLE.get(config.subject)
    whole = stated is not None and _is_whole(config, stated)
    order = config.chosen if whole else sorted(config.chosen, key=lambda name: -QUESTIONS[name].trial_minutes)
    return [_job(name, QUESTIONS[name], config, whole) for name in order]


def record(config: RegenerateConfig, ended: Sequence[FinishedJob], wall: float, scratch: bool) -> str:
    """The text of a file of times: seconds by question, the commit, and the machine's cores."""
    times = {
        one.job.name: {"seconds": round(one.seconds, 1), "cpu_seconds": round(one.cpu_seconds, 1), "status": one.status} for one in ended
    }
    told = {
        "questions": times,
        "wall_seconds": round(wall, 1),
        "cpu_seconds": round(sum(one.cpu_seconds for one in ended), 1),
        "from_scratch": scratch,
        "images": config.images,
        "workers": config.workers,
        "cores": os.cpu_count(),
        "git_commit": git_commit(),
    }
    return json_text(told, indent=1) + "\n"


def summary(ended: Sequence[FinishedJob], wall: float) -> str:
    """A line a question, in the order in which they ended, and the sum."""
    lines = [f"{'question':12} {'minutes':>8} {'of the processor':>17}"]
    for one in ended:
        mark = "" if one.status == 0 else "  failed"
        lines.append(f"{one.job.name:12} {one.seconds / 60:8.1f} {one.cpu_seconds / 60:17.1f}{mark}")
    lines.append(f"{'all':12} {wall / 60:8.1f} {sum(one.cpu_seconds for one in ended) / 60:17.1f}")
    if failed := [one.job.name for one in ended if one.status]:
        lines.append(
            f"Failed: {', '.join(failed)}. The same command goes on from what is finished; --only {','.join(failed)} runs these alone."
        )
    return "\n".join(lines)


def _job(name: str, asked: QuestionCommand, config: RegenerateConfig, whole: bool) -> Job:
    words = [sys.executable, "-m", f"analysis.{name}", "--out", str(config.out / name)]
    if asked.page:
        words += ["--page", str(config.docs / asked.page)]
    if config.redraw:
        return Job(name, (*words, "--redraw"))
    most = config.images or 0
    images = most if whole else max(1, round(asked.trial_part * most))
    options = {"--subject": config.subject, "--images": str(min(images, asked.most))}
    if config.batch_size is not None:
        options["--batch-size"] = str(config.batch_size)
    if asked.plan:
        options["--plan"] = str(config.plan)
    options |= WHOLE[config.subject].own.get(name, {}) if whole else asked.trial
    for option, values in options.items():
        words += [option, *values.split()]
    if asked.recordings:
        words += ["--recordings", str(config.recordings)]
    if asked.store:
        words += ["--store", str(config.recordings / asked.store)]
    # in a trial of all questions others fill the lanes, and further processes would cost more than they bring
    spread = whole or len(config.chosen) < len(QUESTIONS)
    if asked.shared == CELLS:
        words += ["--workers", str(config.workers if spread else 1)]
    # what lies there is most of its work: then it need not keep others waiting
    begun = asked.store and any((config.recordings / asked.store).glob("*.json"))
    return Job(name, tuple(words), config.workers if spread and asked.all_lanes and not begun else 1, asked.shared)


if __name__ == "__main__":
    run_cli(RegenerateConfig, main)
