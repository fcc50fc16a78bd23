"""A question has a package and a line in `QUESTIONS`; whatever else belongs to one, and is missing, is told here."""

import ast
import re
import subprocess

import pytest

from analysis.questions import ACROSS_SUBJECTS, QUESTIONS
from tests.analysis.question.configs import config_of
from tests.rooms import ROOT, sources

ASKED = (*QUESTIONS, *ACROSS_SUBJECTS)


def makes_a_question(path):
    """Whether the file calls `Question(...)` for its `QUESTION`."""
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    made = [node.value for node in tree.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)]
    return any(isinstance(call.func, ast.Name) and call.func.id == "Question" for call in made)


def test_every_package_that_asks_is_listed_and_every_listed_one_asks():
    assert {path.parts[1] for path in sources("analysis") if makes_a_question(path)} == set(ASKED)


def missing(question):
    """What belongs to a question and is not there."""
    package, tests = ROOT / "analysis" / question, ROOT / "tests" / "analysis" / question
    command = package / "__main__.py"
    told = ast.get_docstring(ast.parse(command.read_text(encoding="utf-8"))) if command.is_file() else None
    if not (told or "").startswith(f"`python -m analysis.{question}`: "):
        yield f"analysis/{question}/__main__.py, whose first line begins with its command"
    if not list(tests.glob("test_*.py")):
        yield f"tests/analysis/{question}/"
    if question in QUESTIONS:
        out, page = f"figures/emoji/{question}", QUESTIONS[question].page and f"docs/{QUESTIONS[question].page}"
    else:
        out, page = str(config_of(question).out), str(config_of(question).page)
    yield from (f"{out}/{question}.{kind}" for kind in ("nc", "json") if not (ROOT / out / f"{question}.{kind}").is_file())
    if page and f"<!-- {question} -->" not in (ROOT / page).read_text(encoding="utf-8"):
        yield f"the marks of {question} in {page}"


@pytest.mark.parametrize("question", ASKED)
def test_nothing_of_a_question_is_missing(question):
    assert not list(missing(question))


def test_what_is_missing_is_told(monkeypatch):
    monkeypatch.setitem(QUESTIONS, "tides", QUESTIONS["drift"])
    told = list(missing("tides"))
    assert told[:2] == ["analysis/tides/__main__.py, whose first line begins with its command", "tests/analysis/tides/"]
    assert told[2:] == ["figures/emoji/tides/tides.nc", "figures/emoji/tides/tides.json", "the marks of tides in docs/findings.md"]


def test_the_makefile_has_a_target_for_each():
    for question in QUESTIONS:
        done = subprocess.run(
            ["make", "--no-print-directory", "-n", "-o", ".venv/ready", question], capture_output=True, text=True, cwd=ROOT
        )
        assert re.search(rf"-m analysis\.{question}$", done.stdout.strip()), done.stderr
    shown = subprocess.run(["make", "--no-print-directory", "help"], capture_output=True, text=True, cwd=ROOT).stdout
    assert shown.splitlines()[-1] == f"QUESTION is one of: {' '.join(QUESTIONS)}"
    assert shown.startswith("figures ")
    assert "\nQUESTION  " in shown
