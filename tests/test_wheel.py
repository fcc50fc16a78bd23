"""What is installed from a wheel does what a checkout does, in a folder that holds nothing of ours."""

import ast
import importlib.metadata
import json
import os
import re
import shutil
import subprocess
import sys
import sysconfig
import tomllib
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
NOTEBOOK = ROOT / "notebooks" / "01_first_look.ipynb"
RUNNER = """
import json, runpy, sys
from pathlib import Path

notebook, *commands = sys.argv[1:]
for command in commands:  # one after another in this process, which loads torch once
    module, *words = command.split()
    sys.argv = [module, *words]
    try:
        runpy.run_module(module, run_name="__main__", alter_sys=True)
    except SystemExit as end:
        assert not end.code, f"{command}: {end.code}"
cells = [cell for cell in json.loads(Path(notebook).read_text())["cells"] if cell["cell_type"] == "code"]
exec("".join("".join(cell["source"]) + chr(10) for cell in cells), {"__name__": "__main__"})
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


def test_what_the_rooms_import_is_a_dependency():
    """Of the project or one of its extras, unless it is tried and may be absent: beside a wheel that is installed alone nothing else is."""
    told = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked = [*told["dependencies"], *(each for extra in told["optional-dependencies"].values() for each in extra)]
    declared = {_plain(re.split(r"[^A-Za-z0-9._-]", each, maxsplit=1)[0]) for each in asked}
    trees = [ast.parse(path.read_text()) for room in FLOORS for path in (ROOT / room).rglob("*.py")]
    tried = {
        id(line) for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Try) for part in node.body for line in ast.walk(part)
    }
    lines = [node for tree in trees for node in ast.walk(tree) if id(node) not in tried]
    named = {one.name for line in lines if isinstance(line, ast.Import) for one in line.names}
    named |= {line.module or "" for line in lines if isinstance(line, ast.ImportFrom)}
    outside = {name.partition(".")[0] for name in named} - set(sys.stdlib_module_names) - {*FLOORS, ""}
    assert {"torch", "numpy", "xarray"} <= outside
    packages = importlib.metadata.packages_distributions()
    missing = {name for name in outside if not declared & set(map(_plain, packages.get(name, [name])))}
    assert not missing


def _plain(name: str) -> str:
    return re.sub("[._-]+", "-", name).lower()


def test_commands_and_a_notebook_run_from_it_outside_a_checkout(wheel, tmp_path):
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
    whole, fewer = NOTEBOOK.read_text(encoding="utf-8"), ('\\"smoothing\\"))', '\\"smoothing\\"), max_new_tokens=37)')
    assert fewer[0] in whole
    (folder / NOTEBOOK.name).write_text(whole.replace(*fewer), encoding="utf-8")
    words = [python, "-c", RUNNER, NOTEBOOK.name, *COMMANDS]
    done = subprocess.run(words, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    assert "Traceback" not in done.stderr
    assert len(list((folder / "recorded" / "free").rglob("*.nc"))) == 4  # two images, two arms
    (results,) = folder.rglob("logits.json")
    assert json.loads(results.read_text())["results"]
    assert list(results.parent.glob("*.png"))
    assert json.loads((folder / "scored.json").read_text())["metrics"]["chair_s"] >= 0
