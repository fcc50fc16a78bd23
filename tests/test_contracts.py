"""Laws that hold for the whole house: registries, sizes, words, the way results leave."""

import ast
import dataclasses
import importlib
import inspect
import pkgutil
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("kvsmooth", "probes", "analysis")
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
SOURCES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
REGISTRIES = {"kvsmooth.sinks": "SINKS", "kvsmooth.policies": "POLICIES", "probes.recorders": "RECORDERS", "analysis.metrics": "METRICS"}


def modules(package_name: str) -> list:
    package = importlib.import_module(package_name)
    return [importlib.import_module(found.name) for found in pkgutil.iter_modules(package.__path__, package_name + ".")]


def test_the_rooms_are_not_empty():
    assert all(any(path.is_relative_to(ROOT / room) for path in SOURCES) for room in ROOMS)


@pytest.mark.parametrize("package", REGISTRIES)
def test_every_concrete_class_of_a_registry_room_is_registered(package):
    registered = set(getattr(importlib.import_module(package), REGISTRIES[package]).values())
    assert registered
    for module in modules(package):
        for _, found in inspect.getmembers(module, inspect.isclass):
            # an entry is a class that goes by a name; what a room keeps beside its entries has none
            if found.__module__ == module.__name__ and isinstance(getattr(found, "name", None), str):
                assert found in registered, f"{found.__qualname__} of {module.__name__} is missing from {REGISTRIES[package]}"


@pytest.mark.parametrize("package", REGISTRIES)
def test_registered_options_are_frozen(package):
    for name, entry in getattr(importlib.import_module(package), REGISTRIES[package]).items():
        if dataclasses.is_dataclass(entry):
            assert entry.__dataclass_params__.frozen, f"{package} entry {name} can be changed while it runs"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_is_one_idea(path):
    tree = ast.parse(path.read_text())
    assert len(path.read_text().splitlines()) <= 300, "past 300 lines: is this one idea?"
    if path.name != "__init__.py" or tree.body:
        assert ast.get_docstring(tree), "a file begins by saying what it is"


@pytest.mark.parametrize("path", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_public_functions_and_classes_say_what_they_are(path):
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_") and node.name != "main":
            length = node.end_lineno - node.lineno
            assert ast.get_docstring(node) or length < 12, f"{node.name} (line {node.lineno}) has no docstring"


def test_the_benchmarks_that_the_command_offers_are_those_that_there_are():
    """Their names stand apart from their classes, so that a redraw loads no model."""
    from analysis.benchmark import benchmarks, names

    assert tuple(benchmarks.BENCHMARKS) == names.BENCHMARKS


def test_nothing_names_a_checkpoint_outside_presets_and_documents():
    checkpoint = re.compile(r"\b(llava-hf|liuhaotian|Salesforce|HuggingFaceTB|OpenGVLab|meta-llama)/", re.IGNORECASE)
    for path in SOURCES:
        if path.name != "presets.py":
            assert not checkpoint.search(path.read_text()), f"{path.relative_to(ROOT)} names a checkpoint"


def test_the_readme_names_only_commands_that_exist():
    readme = (ROOT / "README.md").read_text()
    for target in re.findall(r"^\s*make (\w+)", readme, re.MULTILINE):
        assert re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE), f"README names make {target}"
    for module in set(re.findall(r"python -m ((?:analysis|probes)[\w.]*)", readme)):
        assert importlib.util.find_spec(module), f"README names python -m {module}"
    for image in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", readme):
        assert (ROOT / image).exists(), f"README shows {image}"


def headings(text: str) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them: lower case, blanks as hyphens, other marks dropped."""
    found = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in found}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_pages_links_lead_somewhere(page):
    text = page.read_text()
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if "://" not in target:
            file, _, anchor = target.partition("#")
            there = (page.parent / file).resolve() if file else page
            assert there.exists(), f"{page.name} links {target}"
            assert not anchor or anchor in headings(there.read_text()), f"{page.name} links {target}, which is no heading there"


def test_every_question_on_the_findings_page_has_its_paragraph_and_its_results():
    page = (ROOT / "docs" / "findings.md").read_text()
    found = dict(re.findall(r"<!-- (\w+) -->\n(.*?)<!-- /\1 -->", page, re.DOTALL))
    assert set(found) == {"drift", "logits", "sinks", "coupling", "entropy", "onset", "mediation", "sensitivity"}
    for question, text in found.items():
        assert re.match(r"\*\*[^*\n]+\.\*\*\n\n", text), f"docs/findings.md: {question} does not open with its verdict"
        assert len(text.split()) > 50, f"docs/findings.md says nothing of {question}; run python -m analysis.{question}"
        assert (ROOT / "figures" / "emoji" / question / f"{question}.json").is_file()
        assert list((ROOT / "figures" / "emoji" / question).glob("*.png"))
