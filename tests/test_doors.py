"""Names that README and docs give, or gave before the rooms were furnished, lead to the things themselves; the house uses the new ones."""

import ast
import importlib
import re
import subprocess
import sys

import pytest

from tests.rooms import ROOT, sources

FORMER = {
    "probes.cli": ("probes.command.cli", ("BadInput", "Notice")),
    "probes.recording": ("probes.recordings.recording", ("merge", "read_folder", "validate")),
    "analysis.metrics.readers": ("analysis.words.readers", ("Bundled", "Exact", "Reader", "reader")),
}
COMMANDS = ("analysis.score_cost", "analysis.engine.cost")
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "notebooks").glob("*.ipynb")))
IMPORT = re.compile(r"from ((?:kvsmooth|probes|analysis)[\w.]*) import (\w+(?:, \w+)*)")


@pytest.mark.parametrize("module", FORMER)
def test_a_former_name_is_the_thing_itself(module):
    now, names = FORMER[module]
    there, here = importlib.import_module(now), importlib.import_module(module)
    assert all(getattr(here, name) is getattr(there, name) for name in names)


def test_a_detector_that_is_written_by_the_former_name_of_the_view_is_shown_the_view():
    from kvsmooth.sinks import Seen, View

    assert Seen is View


@pytest.mark.slow
def test_the_house_does_not_go_through_former_names():
    known = {*FORMER, *COMMANDS}
    for path in sources("kvsmooth", "probes", "analysis", "tests"):
        for node in ast.walk(ast.parse((ROOT / path).read_text())):
            if isinstance(node, ast.ImportFrom) and node.module:
                used = {node.module, *(f"{node.module}.{name.name}" for name in node.names)} & known
                assert not used, f"{path} imports {used}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_imports_is_there(page):
    for module, names in IMPORT.findall(page.read_text(encoding="utf-8")):
        found = importlib.import_module(module)
        assert all(hasattr(found, name) for name in names.split(", ")), f"{page.name}: from {module} import {names}"


@pytest.mark.parametrize("module", COMMANDS)
def test_a_command_goes_by_the_name_that_the_docs_give(module):
    told = subprocess.run([sys.executable, "-m", module, "--help"], capture_output=True, text=True, cwd=ROOT)
    assert told.returncode == 0, told.stderr
    assert told.stdout.startswith(f"usage: python -m {module} ")
