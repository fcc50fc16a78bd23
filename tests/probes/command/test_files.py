"""Files appear whole or not at all; provenance and command lines."""

import errno
import os
import resource
import signal
import subprocess
import sys
import warnings
from dataclasses import dataclass
from pathlib import Path

import pytest

from kvsmooth import KVSmooth, Unsupported
from probes.command.cli import BadInput, Notice, needs_posix, run_cli
from probes.command.files import NAMED, atomic_write, by_folder, noted, sweep, write_bytes
from probes.command.provenance import git_commit, provenance
from probes.command.strict_json import as_json, as_plain
from tests.processes import started


def test_a_file_appears_when_the_block_ends_and_its_folder_is_made(tmp_path):
    path = tmp_path / "a" / "b.txt"
    with atomic_write(path) as temporary:
        temporary.write_text("whole")
        assert not path.exists()
        assert temporary.parent == path.parent
    assert path.read_text() == "whole"
    assert [p.name for p in path.parent.iterdir()] == ["b.txt"]


def test_two_writers_of_one_file_do_not_write_into_each_other(tmp_path):
    """As two recordings of one image do, in threads or processes: the later rename is the file, whole."""
    path = tmp_path / "0.nc"
    with atomic_write(path) as later:
        later.write_text("later")
        with atomic_write(path) as sooner:
            sooner.write_text("sooner")
        assert path.read_text() == "sooner"
    assert path.read_text() == "later"
    assert [one.name for one in tmp_path.iterdir()] == ["0.nc"]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_a_block_that_raises_leaves_the_old_file_and_nothing_else(tmp_path, error):
    path = tmp_path / "b.txt"
    path.write_text("old")

    def fail():
        with atomic_write(path) as temporary:
            temporary.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["b.txt"]


def test_a_disk_that_takes_no_more_leaves_nothing_behind(tmp_path):
    """A real limit of the operating system: files of this process may not grow past 1,000 bytes."""
    path = tmp_path / "b.bin"
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
    try:
        with pytest.raises(OSError, match="File too large") as caught:
            write_bytes(path, bytes(5000))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert caught.value.errno == errno.EFBIG
    assert caught.value.filename == str(path)
    assert not list(tmp_path.iterdir())


def test_what_a_killed_process_left_is_swept_and_what_lives_is_not(tmp_path):
    code = (
        "import sys,time; from probes.command.files import atomic_write\n"
        "with atomic_write(sys.argv[1]) as t:\n t.write_text('half'); print('there', flush=True); time.sleep(600)"
    )
    with started([sys.executable, "-c", code, tmp_path / "b.txt"], cwd=Path(__file__).parents[3]) as child:
        assert child.stdout.readline() == "there\n"
        assert sweep(tmp_path) == []
        child.kill()
        child.wait()
    assert len(list(tmp_path.iterdir())) == 1
    assert len(sweep(tmp_path)) == 1
    assert not list(tmp_path.iterdir())


def test_provenance_names_code_versions_and_the_whole_configuration():
    record = provenance({"seed": 3, "out": Path("a/b"), "method": KVSmooth(), "layers": range(2)})
    assert record["seed"] == 3
    assert record["config"]["out"] == "a/b"
    assert record["config"]["layers"] == [0, 1]
    assert record["config"]["method"]["lambda_ref"] == 0.7
    assert len(record["git_commit"].removesuffix("-dirty")) in (7, 40)
    assert {"python", "torch", "transformers", "nnsight"} <= record["versions"].keys()
    assert record == provenance({"seed": 3, "out": Path("a/b"), "method": KVSmooth(), "layers": range(2)})


def test_provenance_outside_a_checkout_says_so(monkeypatch, tmp_path):
    git_commit.cache_clear()
    monkeypatch.setattr("probes.command.provenance.ROOT", tmp_path)
    assert git_commit() == "unknown"
    git_commit.cache_clear()


def test_a_checkout_that_does_not_answer_in_time_is_none(monkeypatch):
    def slow(*_, **given):
        raise subprocess.TimeoutExpired("git", given["timeout"])

    git_commit.cache_clear()
    monkeypatch.setattr(subprocess, "run", slow)
    assert git_commit() == "unknown"
    git_commit.cache_clear()


def test_equal_configurations_are_equal_texts():
    assert as_json({"b": 1, "a": (1, 2)}) == as_json({"a": [1, 2], "b": 1})
    assert as_plain({"path": Path("x"), 3: {1}}) == {"path": "x", "3": [1]}


@dataclass(frozen=True)
class Options:
    """A command for the tests."""

    images: int = 3
    debug: bool = False

    def __post_init__(self):
        if self.images < 1:
            raise ValueError(f"Options.images must be a positive integer; got {self.images}.")


def run(argv, main=lambda config: None):
    with pytest.raises(SystemExit) as left:
        run_cli(Options, main, argv)
    return left.value.code


def raising(error):
    def main(config):
        raise error

    return main


def test_a_command_that_does_its_work_leaves_with_0(capsys):
    seen = []
    assert run(["--images", "5"], seen.append) == 0
    assert seen == [Options(5)]
    assert run(["--help"]) == 0
    assert "A command for the tests." in capsys.readouterr().out


@pytest.mark.parametrize(
    ("argv", "main", "line"),
    [
        (["--images", "0"], None, "Options.images must be a positive integer; got 0."),
        (["--images", "x"], None, "invalid literal for int"),
        (["--nope"], None, "Unrecognized options: --nope"),
        ([], raising(BadInput("a.png: the image\ncannot be read.")), "a.png: the image cannot be read."),
        ([], raising(Unsupported("T5 has no cache.")), "T5 has no cache."),
        (
            [],
            raising(OSError(errno.ENOSPC, "No space left on device", "/x/7.nc")),
            "No space left on device (/x/7.nc); make room, and run",
        ),
        (
            [],
            raising(PermissionError(errno.EACCES, "Permission denied", "/x")),
            "Permission denied (/x); choose a place that you may write.",
        ),
        ([], raising(OSError("a hub\nsaid no")), "a hub said no"),
    ],
)
def test_bad_input_is_one_line_and_status_2(capsys, argv, main, line):
    assert run(argv, main or (lambda config: None)) == 2
    said = capsys.readouterr().err
    assert line in said
    assert said.count("\n") == 1
    assert "Traceback" not in said


@pytest.mark.filterwarnings("always::UserWarning")
def test_a_notice_is_one_line_and_other_warnings_are_as_ever(capsys):
    def main(config):
        warnings.warn("9 recordings are old", Notice, stacklevel=1)

    with warnings.catch_warnings(record=True) as usual:
        assert run([], main) == 0
        said = capsys.readouterr().err
        assert said.endswith(": 9 recordings are old\n")
        assert said.count("\n") == 1
        assert run([], lambda config: warnings.warn("of a library", UserWarning, stacklevel=1)) == 0
    assert [str(one.message) for one in usual] == ["of a library"]


def test_debug_shows_the_trace():
    with pytest.raises(BadInput):
        run_cli(Options, raising(BadInput("no")), ["--debug"])


def test_a_mistake_of_the_program_is_not_hidden():
    with pytest.raises(ValueError, match="mistake"):
        run_cli(Options, raising(ValueError("mistake")), [])


def test_a_command_that_needs_posix_says_so_elsewhere(monkeypatch):
    needs_posix("do that")
    monkeypatch.setattr("probes.command.cli.os.name", "nt")
    with pytest.raises(BadInput, match=r" runs on Linux and macOS; do that\.$"):
        needs_posix("do that")


def test_an_interrupt_is_one_line_and_status_130(capsys):
    assert run([], raising(KeyboardInterrupt())) == 130
    said = capsys.readouterr().err
    assert said.endswith("interrupted; what it had not written is lost, the same command begins anew.\n")
    assert said.count("\n") == 1


def test_help_needs_no_model_library():
    code = "import sys, probes.record; sys.exit(bool({'torch', 'nnsight', 'transformers', 'xarray'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], cwd=Path(__file__).parents[3], env=os.environ).returncode == 0


@dataclass(frozen=True)
class Writing:
    """Writes files."""

    out: Path = Path("out")
    """where"""
    files: int = 2
    """how many"""


def writing(config):
    for number in range(config.files):
        write_bytes(config.out / "many" / f"{number}.txt", b"")
    sys.stdout.write("the end\n")


def test_a_command_ends_with_what_was_written_where(tmp_path, capsys):
    for count, told in ((0, ""), (2, f"Written: {tmp_path}/many (0.txt, 1.txt)\n"), (9, f"Written: {tmp_path}/many (9 files)\n")):
        with pytest.raises(SystemExit) as left:
            run_cli(Writing, writing, ["--out", str(tmp_path), "--files", str(count)])
        assert left.value.code == 0
        assert capsys.readouterr().out == f"the end\n{told}"
    assert NAMED < 9


def test_files_are_noted_once_in_their_order_and_only_within_the_block(tmp_path):
    write_bytes(tmp_path / "before", b"")
    with noted() as written:
        for name in ("b/one", "two", "b/one", "b/three"):
            write_bytes(tmp_path / name, b"")
        with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "torn"):
            pass  # nothing is there to be renamed
    write_bytes(tmp_path / "after", b"")
    assert list(written) == [tmp_path / "b/one", tmp_path / "two", tmp_path / "b/three"]
    assert by_folder(written) == f"{tmp_path}/b (one, three); {tmp_path} (two)"
