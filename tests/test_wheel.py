"""What is installed from a wheel does what a checkout does, in a folder that holds nothing of ours."""

import json
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile

import pytest

from tests.rooms import FLOORS, ROOT

pytestmark = pytest.mark.slow
COMMANDS = (
    "probes.record --images 2 --max-new-tokens 8 --out recorded",
    # goes on from that recording; of the questions that do, one with few figures
    "analysis.logits --images 2 --max-new-tokens 8 --recordings recorded",
    "analysis.score chair --captions captions.jsonl --annotations coco --cache cache --mode bundled --json scored.json",
)
RUNNER = """
import runpy, sys
from pathlib import Path

for command in sys.argv[1:]:  # one after another in this process, which loads torch once
    module, *words = command.split()
    sys.argv = [module, *words]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        assert not end.code, f"{command}: {end.code}"
import kvsmooth, probes, analysis
assert all(Path(room.__file__).is_relative_to(sys.prefix) for room in (kvsmooth, probes, analysis))
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of the tree as it lies here, built from a copy, so that nothing is left in the tree."""
    copy = tmp_path_factory.mktemp("tree")
    for name in FLOORS:
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, copy)
    # packed without compression: most of it are weights, which take seconds and become no smaller
    options = ("--no-deps", "--no-build-isolation", "--no-index", "--config-settings=--build-option=--compression=stored")
    subprocess.run([sys.executable, "-m", "pip", "wheel", "--quiet", *options, "--wheel-dir", copy / "dist", copy], check=True)
    (made,) = (copy / "dist").glob("*.whl")
    return made


def test_every_file_of_a_room_is_in_the_wheel(wheel):
    there = {path.relative_to(ROOT).as_posix() for room in FLOORS for path in (ROOT / room).rglob("*") if path.is_file()}
    missing = there - set(zipfile.ZipFile(wheel).namelist())
    assert not {name for name in missing if "__pycache__" not in name}


def test_commands_run_from_it_outside_a_checkout(wheel, tmp_path):
    venv.create(tmp_path / "venv", with_pip=False, symlinks=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run(
        [sys.executable, "-m", "pip", "--python", python, "install", "--quiet", "--no-compile", "--no-deps", "--no-index", wheel],
        check=True,
    )
    # the dependencies are those of the tests; a path alone, so that no checkout that is installed there in place comes with them
    (site,) = (tmp_path / "venv").glob("lib/python*/site-packages")
    (site / "dependencies.pth").write_text(f"{sysconfig.get_path('purelib')}\n{sysconfig.get_path('platlib')}\n")

    from analysis.datasets.emoji import write_coco

    folder = tmp_path / "elsewhere"
    coco = write_coco(folder / "coco", 3)
    (folder / "captions.jsonl").write_text("".join(json.dumps({"image_id": i, "caption": "a dog and a cat."}) + "\n" for i in coco.ids))
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")}
    words = [python, "-c", RUNNER, *COMMANDS]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    assert len(list((folder / "recorded" / "free").rglob("*.nc"))) == 4  # two images, two arms
    (results,) = folder.rglob("logits.json")
    assert json.loads(results.read_text())["results"]
    assert list(results.parent.glob("*.png"))
    assert json.loads((folder / "scored.json").read_text())["metrics"]["chair_s"] >= 0
