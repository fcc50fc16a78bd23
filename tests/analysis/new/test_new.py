"""What is begun is as lint wants it, and its tests fail because nothing is written or listed yet; names that are taken are refused."""

import importlib
import importlib.util
import math
import re
import shlex
import shutil
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest

from analysis.new.__main__ import STUBS, NewConfig, main, stubs
from probes.command.cli import BadInput, _parse, run_cli
from tests.rooms import FLOORS, ROOT, sources

ROOMS = ("kvsmooth/sinks", "probes/recorders", "analysis/metrics")
LISTS = {"detector": "SINKS", "recorder": "DEFAULT or FURTHER", "metric": "METRICS", "question": "QUESTIONS"}


@pytest.fixture
def checkout(tmp_path):
    for folder in (*ROOMS, *(f"tests/{room}" for room in ROOMS)):
        for each in (tmp_path / folder, *(tmp_path / folder).parents):
            if each.is_relative_to(tmp_path) and each != tmp_path:
                each.mkdir(parents=True, exist_ok=True)
                (each / "__init__.py").touch()
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.fixture
def begun(checkout, monkeypatch):
    """Begins something in the checkout, and imports its test beside the house as it stands."""
    before = set(sys.modules)

    def begin(what, name):
        main(NewConfig(what, name, checkout))
        made = stubs(NewConfig(what, name, ROOT))
        for package in {path.relative_to(ROOT).parts[: 1 if what == "question" else 2] for path in made if "tests" not in path.parts}:
            room = importlib.import_module(".".join(package))
            monkeypatch.setattr(room, "__path__", [*room.__path__, str(checkout.joinpath(*package))])
        (path,) = checkout.joinpath("tests").rglob("test_*.py")
        spec = importlib.util.spec_from_file_location(f"begun_{path.stem}", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    yield begin
    for name in set(sys.modules) - before:
        if re.search(r"\btides\b", name):
            module = sys.modules.pop(name)
            parent, _, child = name.rpartition(".")
            if getattr(sys.modules.get(parent), child, None) is module:
                delattr(sys.modules[parent], child)


def written(module):
    return {name: test for name, test in vars(module).items() if name.startswith("test_")}


@pytest.mark.parametrize("what", LISTS)
def test_its_tests_fail_for_what_is_not_written_or_listed(what, begun):
    found = written(begun(what, "tides"))
    with pytest.raises(AssertionError, match=rf"add .* to {LISTS[what]} in "):
        found.pop("test_it_is_listed")()
    if what == "recorder":
        with pytest.raises(AssertionError, match=r"add .* to VARIABLES in "):
            found.pop("test_its_variables_are_in_the_schema_and_no_other_recorder_gives_them")()
    assert found
    for test in found.values():
        with pytest.raises(NotImplementedError, match=r"tides\.?\w* is not written yet|Tides\.\w+ is not written yet"):
            test()


def test_the_tests_of_a_detector_pass_when_it_is_written_and_listed(begun, monkeypatch):
    from kvsmooth.sinks import SINKS, MeanReceived

    module = begun("detector", "tides")
    monkeypatch.setattr(module.Tides, "__call__", lambda self, seen: MeanReceived()(seen))
    monkeypatch.setitem(SINKS, "tides", module.Tides)
    for test in written(module).values():
        test()


def test_the_tests_of_a_metric_pass_when_it_is_written_and_listed(begun, monkeypatch):
    from analysis.metrics import METRICS

    def records(self, answers):
        return [SimpleNamespace(counts=(1, 1) if "car" not in answer.text else (0, 2)) for answer in answers]

    def ratios(self, total):
        return {"tides": total[0] / total[1] if total[1] else np.nan}

    def reasons(self, total):
        return {"tides": "nothing is said"} if math.isnan(ratios(self, total)["tides"]) else {}

    module = begun("metric", "tides")
    monkeypatch.setattr(module.Tides, "records", records)
    monkeypatch.setattr(module.Tides, "ratios", ratios)
    monkeypatch.setattr(module.Tides, "reasons", reasons)
    monkeypatch.setitem(METRICS, "tides", module.Tides)
    for test in written(module).values():
        test()


def test_what_is_written_is_as_lint_wants_it_whatever_its_name(checkout):
    for path in sources(*FLOORS, "tests"):  # what is ours, and so stands last among imports, is told by files
        (checkout / path).parent.mkdir(parents=True, exist_ok=True)
        (checkout / path).touch()
    for what in LISTS:
        for name in (f"a_{what}", f"z_{what}".ljust(32, "o")):
            main(NewConfig(what, name, checkout))
    for words in (("check",), ("format", "--check")):
        done = subprocess.run([sys.executable, "-m", "ruff", *words, "."], cwd=checkout, capture_output=True, text=True)
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("what", LISTS)
def test_it_says_what_is_next_and_names_only_files_that_there_are(what, checkout, capsys):
    main(NewConfig(what, "tides", checkout))
    told = capsys.readouterr().out
    assert told.startswith(f"Next, for the {what} tides:\n1. Write ")
    assert f"in {LISTS[what].split()[-1]}" in told or LISTS[what] in told
    assert "$" not in told
    for path in re.findall(r"[\w/]+/[\w.]+\.(?:py|md)\b", told):
        later = "tides" in path  # written now, or by whoever goes on
        assert later or (ROOT / path).is_file(), path


@pytest.mark.parametrize(
    ("what", "name", "told"),
    [
        ("detector", "row_entropy", "exists already"),
        ("detector", "toy", "exists already"),
        ("metric", "data", "exists already"),
        ("question", "drift", "exists already"),
        ("question", "doctor", "exists already"),
        ("question", "synthetic", "exists already"),
        ("recorder", "key_norm", r"would be KeyNorm, as one of .*key_norm\.py is called"),
        ("detector", "tensor", "would be Tensor, as one of what detectors import is called"),
        ("metric", "value_error", "would be ValueError, as one of Python is called"),
    ],
)
def test_a_name_that_is_taken_is_refused(what, name, told):
    with pytest.raises(BadInput, match=told):
        stubs(NewConfig(what, name, ROOT))


@pytest.mark.parametrize(
    "name", ["Tides", "9tides", "ti-des", "tides.py", "../tides", "class", "_tides", "tides_", "", "gezeiten_ü", 33 * "a"]
)
def test_what_is_no_name_is_refused_in_a_line(name, capsys):
    with pytest.raises(SystemExit) as left:
        run_cli(NewConfig, main, ["detector", name])
    assert left.value.code == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_a_second_run_is_refused_and_writes_nothing(checkout, capsys):
    for status in (0, 2):
        with pytest.raises(SystemExit) as left:
            run_cli(NewConfig, main, ["question", "tides", "--root", str(checkout)])
        assert left.value.code == status
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("exists already; choose another name, or remove it.")


def test_another_folder_than_a_checkout_is_refused(tmp_path):
    with pytest.raises(BadInput, match="run the command in the root of a checkout"):
        stubs(NewConfig("recorder", "tides", tmp_path))


def test_the_help_has_examples_that_parse(capsys):
    for words in NewConfig.EXAMPLES:
        _parse(NewConfig, shlex.split(words), "python -m it")
    with pytest.raises(SystemExit):
        _parse(NewConfig, ["--help"], "python -m it")
    shown = capsys.readouterr().out
    assert all(f"python -m it {words}" in shown for words in NewConfig.EXAMPLES)


def test_there_are_stubs_of_every_kind():
    assert {path.name for path in STUBS.iterdir() if path.is_dir()} == set(LISTS) == {path.stem for path in STUBS.glob("*.txt")}
