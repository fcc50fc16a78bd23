"""The driver of all questions, with tiny commands for questions: order, lanes, failures, interrupts, what it shows and keeps."""

import contextlib
import importlib
import io
import json
import os
import pty
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from itertools import pairwise
from pathlib import Path

import pytest

from analysis.questions import QUESTIONS, WHOLE
from analysis.regenerate import __main__ as regenerate
from analysis.regenerate.__main__ import RegenerateConfig, jobs
from analysis.regenerate.lanes import FinishedJob, Job, run_jobs, startable
from analysis.regenerate.screen import Screen
from probes.command.cli import _parse
from tests.processes import PATIENCE, all_end, started, until

ROOT = Path(__file__).resolve().parents[3]


def job(name, code="", lanes=1, shared=""):
    return Job(name, (sys.executable, "-S", "-c", code), lanes, shared)


def marking(folder, name, meets=""):
    """Code of a question that leaves the times of its beginning and of its end, which comes when that of the other name has begun."""
    return (
        f"import time; from pathlib import Path; t = time.monotonic(); folder = Path({str(folder)!r}); (folder / 'begun-{name}').touch()\n"
        f"while not (folder / 'begun-{meets or name}').exists(): time.sleep(0.01)\n"
        f"(folder / {name!r}).write_text(f'{{t}} {{time.monotonic()}}')"
    )


def spans(folder, names):
    return {name: tuple(map(float, (folder / name).read_text().split())) for name in names}


def apart(one, two):
    return one[1] <= two[0] or two[1] <= one[0]


def ended(one, status=0):
    return FinishedJob(one, status, 1.0, 1.0, "")


def names(found):
    return [one.name for one in found]


def test_nothing_runs_beside_the_first_of_those_that_share():
    first, second, other = job("first", shared="x"), job("second", shared="x"), job("other")
    assert names(startable([first, second, other], [], [], 2)) == ["first", "other"]
    assert names(startable([second], [first], [], 2)) == []
    third = job("third", shared="x")
    assert names(startable([second, third], [], [ended(first)], 2)) == ["second", "third"]
    # it failed: what they share is not known to be there, and the next one makes it alone
    assert names(startable([second, third], [], [ended(first, 1)], 2)) == ["second"]


def test_a_question_that_fills_all_lanes_runs_alone_and_smaller_ones_pass_it():
    wide, small = job("wide", lanes=2), job("small")
    assert names(startable([wide, small], [], [], 2)) == ["wide"]
    assert names(startable([wide, small], [job("running")], [], 2)) == ["small"]
    assert names(startable([job("wide", lanes=4)], [], [], 2)) == ["wide"], "more lanes than there are: all of them"


def test_children_keep_to_lanes_and_to_what_they_share(tmp_path):
    plan = [("a", 1, "x", "c"), ("b", 1, "x", ""), ("c", 1, "", "a"), ("d", 2, "", "")]
    made = [job(name, marking(tmp_path, name, meets), lanes, shared) for name, lanes, shared, meets in plan]
    done = run_jobs(made, 2, tmp_path / "logs", Screen(io.StringIO()))
    assert sorted(one.job.name for one in done if one.status == 0) == ["a", "b", "c", "d"]
    when = spans(tmp_path, "abcd")
    assert when["b"][0] >= when["a"][1]
    assert not apart(when["a"], when["c"])
    assert all(apart(when["d"], when[other]) for other in "abc")


def test_a_failure_loses_no_other_and_says_why(tmp_path):
    said = io.StringIO()
    broken = "import sys; print('a summary'); sys.exit('it broke: do this')"
    made = [job("bad", broken, shared="x"), job("good", marking(tmp_path, "good"), shared="x"), job("silent", "import os; os.abort()")]
    done = {one.job.name: one for one in run_jobs(made, 2, tmp_path / "logs", Screen(said))}
    assert {name: one.status for name, one in done.items()} == {"bad": 1, "good": 0, "silent": -signal.SIGABRT}
    lines = said.getvalue().splitlines()
    (line,) = [line for line in lines if line.startswith("bad: failed")]
    assert "it broke: do this" in line
    assert f"{tmp_path / 'logs' / 'bad.log'}" in line
    assert any("silent: failed" in line and "signal 6" in line for line in lines)
    assert (tmp_path / "logs" / "bad.log").read_text().startswith("a summary\n")


def test_processor_time_counts_the_children_of_a_child(tmp_path):
    burn = "import time\nwhile time.process_time() < 0.3: pass"
    nested = f"import subprocess, sys; subprocess.run([sys.executable, '-S', '-c', {burn!r}])"
    (one,) = run_jobs([job("burns", nested)], 1, tmp_path, Screen(io.StringIO()))
    assert one.cpu_seconds >= 0.3


def test_a_terminal_shows_the_progress_of_all_children_in_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    ours, theirs = pty.openpty()
    shown, both = [], tmp_path / "both are shown"

    def look():
        with contextlib.suppress(OSError):  # what a terminal raises when its other end is closed and all of it is read
            while part := os.read(ours, 65536):  # a part of what was written, as it comes
                shown.append(part)
                if any(b"one: step 1" in line and b"| two: step 1" in line for line in b"".join(shown).split(b"\r\x1b[K")):
                    both.touch()

    bar = (
        "import sys, time\nfrom pathlib import Path\nassert sys.stderr.isatty()\n"
        "def say(i): sys.stderr.write(f'\\rstep {i}'); sys.stderr.flush()\n"
        f"say(0); say(1)\nwhile not Path({str(both)!r}).exists(): time.sleep(0.02)\nsay(2)"
    )
    looking = threading.Thread(target=look)
    looking.start()
    with os.fdopen(theirs, "w") as stream:
        run_jobs([job("one", bar + "\nprint('\\nlast', file=sys.stderr)"), job("two", bar)], 2, tmp_path, Screen(stream))
    looking.join()
    assert b"".join(shown).decode().rstrip().endswith("of the processor")
    assert (tmp_path / "one.log").read_text() == "step 2\nlast\n"
    os.close(ours)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_the_children_and_their_workers(tmp_path, number):
    worker = "import signal, time; signal.signal(signal.SIGINT, signal.SIG_IGN); time.sleep(600)"
    child = (
        "import os, subprocess, sys, time\nfrom pathlib import Path\n"
        f"worker = subprocess.Popen([sys.executable, '-S', '-c', {worker!r}])\n"
        f"Path({str(tmp_path)!r}, 'pids.new').write_text(f'{{os.getpid()}} {{worker.pid}}')\n"
        f"try: os.rename({str(tmp_path / 'pids.new')!r}, {str(tmp_path / 'pids')!r}); time.sleep(600)\n"
        f"except KeyboardInterrupt: Path({str(tmp_path / 'kept')!r}).write_text('kept'); sys.exit(130)\n"
    )
    driver = (
        "import sys\nfrom dataclasses import dataclass\nfrom pathlib import Path\nfrom analysis.regenerate.lanes import Job, run_jobs\n"
        "from analysis.regenerate.screen import Screen\nfrom probes.command.cli import run_cli\n"
        "@dataclass(frozen=True)\nclass Config:\n    'Nothing.'\n"
        "    debug: bool = False\n    'traces'\n"
        "    RESUMES = True\n"
        f"work = Job('child', (sys.executable, '-S', '-c', {child!r}))\n"
        f"run_cli(Config, lambda _: run_jobs([work], 1, Path({str(tmp_path)!r}), Screen()), [])\n"
    )
    with started([sys.executable, "-c", driver], stdout=subprocess.DEVNULL, cwd=ROOT) as process:
        until((tmp_path / "pids").exists, process)
        pids = [int(pid) for pid in (tmp_path / "pids").read_text().split()]
        os.killpg(process.pid, number)
        _, told = process.communicate(timeout=PATIENCE)
    assert process.returncode == 130, told
    assert "interrupted; what it has written is kept, the same command goes on from it." in told
    assert (tmp_path / "kept").read_text() == "kept"
    assert all_end(pids)


@pytest.fixture
def fake(tmp_path, monkeypatch):
    """A driver whose questions are tiny commands that skip what lies there."""

    def of(statuses):
        def made(name, asked, config, whole):
            there = tmp_path / name
            code = f"if test -e {there}; then echo skipped; else echo made; fi; touch {there}; exit {statuses.get(name, 0)}"
            return Job(name, ("sh", "-c", code), asked.all_lanes + 1, asked.shared)

        monkeypatch.setattr(regenerate, "_job", made)
        return RegenerateConfig(out=tmp_path / "figures", recordings=tmp_path / "recordings", docs=tmp_path)

    return of


@pytest.mark.slow
def test_a_run_keeps_its_times_and_goes_on_from_what_is_there(fake, tmp_path, capsys):
    config = fake({"sinks": 2})
    with pytest.raises(SystemExit) as left:
        regenerate.main(config)
    assert left.value.code == 1
    told = json.loads((tmp_path / "figures" / "regenerate" / "scratch.json").read_text())
    assert set(told["questions"]) == set(QUESTIONS)
    assert told["questions"]["sinks"]["status"] == 2
    assert told["from_scratch"] is True
    assert told["cores"] == os.cpu_count()
    assert "--only sinks" in capsys.readouterr().out
    regenerate.main(fake({}))
    assert (tmp_path / "recordings" / "regenerate" / "drift.log").read_text() == "skipped\n"
    assert json.loads((tmp_path / "figures" / "regenerate" / "again.json").read_text())["from_scratch"] is False
    assert json.loads((tmp_path / "figures" / "regenerate" / "scratch.json").read_text()) == told


def test_what_another_subject_has_recorded_is_no_beginning_of_this_one(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("smollm2", "grounding"):
        (tmp_path / "recordings" / name).mkdir(parents=True)
    emoji, smollm2 = RegenerateConfig(), regenerate.placed(RegenerateConfig(subject="smollm2"))
    assert not regenerate.recorded(emoji)
    assert not regenerate.recorded(smollm2)
    (tmp_path / "recordings" / "smollm2" / "first").mkdir()
    assert not regenerate.recorded(emoji)
    assert regenerate.recorded(smollm2)
    (tmp_path / "recordings" / "sinks").mkdir()
    assert regenerate.recorded(emoji)


def test_a_trial_takes_the_plan_and_the_batch_of_the_whole_where_none_is_named():
    few = regenerate.placed(RegenerateConfig(subject="smollm2", images=60))
    assert (few.images, few.plan, few.batch_size) == (60, WHOLE["smollm2"].plan, WHOLE["smollm2"].batch_size)
    named = regenerate.placed(RegenerateConfig(subject="smollm2", images=60, plan="dose", batch_size=5))
    assert (named.plan, named.batch_size) == ("dose", 5)
    assert regenerate.placed(RegenerateConfig(images=60)).plan == WHOLE["emoji"].plan


@pytest.mark.slow
def test_a_trial_of_the_second_subject_over_all_questions_keeps_its_times(fake, tmp_path):
    regenerate.main(replace(fake({}), subject="smollm2", images=3))
    assert set(json.loads((tmp_path / "figures" / "regenerate" / "scratch.json").read_text())["questions"]) == set(QUESTIONS)


@pytest.mark.parametrize("redraw", [False, True])
def test_commands_have_the_options_that_their_questions_know(tmp_path, redraw):
    for one in jobs(RegenerateConfig(images=300, out=tmp_path, redraw=redraw)):
        parsed = _parse(options_of(one.name), list(one.command[3:]), one.name)
        assert parsed.out == tmp_path / one.name
        assert parsed.redraw is redraw
        assert redraw or parsed.images == (75 if one.name == "mediation" else 300)


def test_a_trial_asks_of_fewer_doses_and_sensitivity_of_cells_that_are_there():
    """The cells of the doses lie in the same store, and are decoded once for both."""
    asked = {}
    for images in (60, 500):
        found = {one.name: _parse(options_of(one.name), list(one.command[3:]), one.name) for one in jobs(RegenerateConfig(images=images))}
        asked[images] = {*found["dose"].doses}, {*found["sensitivity"].lambdas}
    (few, centres), (all_doses, all_centres) = asked[60], asked[500]
    assert {0.7} < centres < few < all_doses
    assert centres < all_centres


def test_a_question_fills_all_lanes_until_its_store_holds_something(tmp_path):
    config = RegenerateConfig(only=("ablation", "sensitivity", "drift"), recordings=tmp_path, workers=3)
    assert {one.name: one.lanes for one in jobs(config)} == {"drift": 1, "ablation": 3, "sensitivity": 3}
    (tmp_path / "ablation").mkdir()
    (tmp_path / "ablation" / "cell.json").touch()
    assert {one.name: one.lanes for one in jobs(config)} == {"drift": 1, "ablation": 1, "sensitivity": 1}


def test_in_a_trial_of_all_each_keeps_to_one_lane_and_the_longest_start_first():
    found = jobs(RegenerateConfig(images=60, workers=3))
    assert {one.lanes for one in found} == {1}
    workers = {one.name: dict(pairwise(one.command)).get("--workers") for one in found}
    assert {name for name, number in workers.items() if number == "1"} == {"ablation", "dose", "sensitivity"}
    minutes = [QUESTIONS[one.name].trial_minutes for one in found]
    assert minutes == sorted(minutes, reverse=True)
    assert found[0].name == "drift", "others read what it records"
    (alone,) = jobs(RegenerateConfig(images=60, workers=3, only=("ablation",)))
    assert (alone.lanes, dict(pairwise(alone.command))["--workers"]) == (3, "3")


def options_of(question):
    """The class of a question's options, wherever the question keeps it."""
    for module in (f"analysis.{question}", f"analysis.{question}.config", f"analysis.{question}.__main__"):
        with contextlib.suppress(ModuleNotFoundError):
            found = getattr(importlib.import_module(module), f"{question.capitalize()}Config", None)
            if found is not None:
                return found
    raise AssertionError(f"analysis.{question} has no {question.capitalize()}Config")


def test_questions_are_named_with_commas_or_apart():
    assert RegenerateConfig(only=("sinks,drift",)).chosen == RegenerateConfig(only=("drift", "sinks")).chosen == ("drift", "sinks")
    with pytest.raises(ValueError, match=r"RegenerateConfig.only must be of drift, .*; got 'x'"):
        RegenerateConfig(only=("drift,x",))
    with pytest.raises(ValueError, match=r"RegenerateConfig.workers must be a positive integer; got 0"):
        RegenerateConfig(workers=0)
