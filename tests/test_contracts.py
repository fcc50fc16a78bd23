"""Laws that hold for the whole house: registries, sizes, words, the way results leave."""

import ast
import dataclasses
import importlib
import inspect
import pkgutil
import re
import subprocess

import pytest

from analysis.questions import ACROSS_SUBJECTS, QUESTIONS
from tests.rooms import FLOORS, ROOT, sources

COMMIT = re.compile(r'"git_commit": "([0-9a-f]{40})"')
SKIPS = re.compile(r"\bpytest\.(skip|importorskip|xfail|mark\.(skip|skipif|xfail))\b")
PAGES = (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md")))
SOURCES = [ROOT / path for path in sources()]
REGISTRIES = {
    "kvsmooth.sinks": "SINKS",
    "kvsmooth.policies": "POLICIES",
    "kvsmooth.baselines": "METHODS",
    "probes.recorders": "RECORDERS",
    "analysis.metrics": "METRICS",
}


def modules(package_name: str) -> list:
    package = importlib.import_module(package_name)
    return [importlib.import_module(found.name) for found in pkgutil.iter_modules(package.__path__, package_name + ".")]


def test_the_rooms_are_not_empty():
    assert all(any(path.is_relative_to(ROOT / room) for path in SOURCES) for room in FLOORS)


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


@pytest.mark.slow
def test_a_file_is_one_idea():
    offenders = []
    for path in SOURCES:
        text = path.read_text(encoding="utf-8")
        tree, lines = ast.parse(text), len(text.splitlines())
        if lines > 300:
            offenders.append(f"{path.relative_to(ROOT)}: {lines} lines, past 300: is this one idea?")
        if (path.name != "__init__.py" or tree.body) and not ast.get_docstring(tree):
            offenders.append(f"{path.relative_to(ROOT)}: a file begins by saying what it is")
    assert not offenders, "\n".join(offenders)


@pytest.mark.slow
def test_a_class_name_is_one_thing():
    homes: dict[str, list[str]] = {}
    for path in SOURCES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                homes.setdefault(node.name, []).append(str(path.relative_to(ROOT)))
    assert len(homes) > 200
    assert not {name: where for name, where in homes.items() if len(where) > 1}


@pytest.mark.slow
def test_public_functions_and_classes_say_what_they_are():
    offenders = []
    for path in SOURCES:
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            public = isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_") and node.name != "main"
            if public and not ast.get_docstring(node) and node.end_lineno - node.lineno >= 12:
                offenders.append(f"{path.relative_to(ROOT)}:{node.lineno}: {node.name} has no docstring")
    assert not offenders, "\n".join(offenders)


def test_every_benchmark_and_scoring_is_registered_under_the_name_of_a_metric():
    from analysis.benchmark.benchmark import Benchmark
    from analysis.benchmark.benchmarks import BENCHMARKS, benchmark_class
    from analysis.metrics import METRICS
    from analysis.score.options import Scoring
    from analysis.score.scorings import SCORINGS

    for base, room, registered in (
        (Benchmark, "analysis.benchmark", {name: benchmark_class(name) for name in BENCHMARKS}),
        (Scoring, "analysis.score", SCORINGS),
    ):
        assert registered.keys() <= METRICS.keys()
        assert all(issubclass(kind, base) and not inspect.isabstract(kind) for kind in registered.values())
        for module in modules(room):
            for _, found in inspect.getmembers(module, inspect.isclass):
                if found.__module__ == module.__name__ and issubclass(found, base) and not inspect.isabstract(found):
                    assert found in registered.values(), f"{found.__qualname__} of {module.__name__} is not registered"


def test_nothing_names_a_checkpoint_outside_presets_and_documents():
    checkpoint = re.compile(r"\b(llava-hf|liuhaotian|Salesforce|HuggingFaceTB|OpenGVLab|meta-llama)/", re.IGNORECASE)
    named = (path for path in SOURCES if path.name != "presets.py" and checkpoint.search(path.read_text(encoding="utf-8")))
    assert not [str(path.relative_to(ROOT)) for path in named]


def test_the_readme_names_only_commands_that_exist():
    readme = (ROOT / "README.md").read_text()
    for target in re.findall(r"^\s*make (\w+)", readme, re.MULTILINE):
        there = target in QUESTIONS or re.search(rf"^{target}:", (ROOT / "Makefile").read_text(), re.MULTILINE)
        assert there, f"README names make {target}"
    for module in set(re.findall(r"python -m ((?:analysis|probes)[\w.]*)", readme)):
        assert importlib.util.find_spec(module), f"README names python -m {module}"
    for image in re.findall(r"!\[[^\]]*\]\(([^)]+)\)", readme):
        assert (ROOT / image).exists(), f"README shows {image}"


def headings(text: str) -> set[str]:
    """Anchors of a page's headings, as GitHub makes them: lower case, blanks as hyphens, other marks dropped."""
    found = re.findall(r"^#+ (.+)$", re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-") for heading in found}


def test_the_links_of_every_page_lead_somewhere():
    broken = []
    for page in PAGES:
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text(encoding="utf-8")):
            if "://" not in target:
                file, _, anchor = target.partition("#")
                there = (page.parent / file).resolve() if file else page
                if not there.exists():
                    broken.append(f"{page.name}: {target}")
                elif anchor and anchor not in headings(there.read_text(encoding="utf-8")):
                    broken.append(f"{page.name}: {target} is no heading there")
    assert not broken, "\n".join(broken)


def test_every_question_on_the_findings_page_has_its_paragraph_and_its_results():
    page = (ROOT / "docs" / "findings.md").read_text()
    found = dict(re.findall(r"<!-- (\w+) -->\n(.*?)<!-- /\1 -->", page, re.DOTALL))
    for told in ("claims", "story"):  # of no question: what all of them say together
        found.pop(told, None)
    assert set(found) - {*ACROSS_SUBJECTS} == {name for name, asked in QUESTIONS.items() if asked.page == "findings.md"}
    for question, text in found.items():
        assert re.match(r"\*\*[^*\n]+\.\*\*\n\n", text), f"docs/findings.md: {question} does not open with its verdict"
        assert len(text.split()) > 50, f"docs/findings.md says nothing of {question}; run python -m analysis.{question}"
        assert (ROOT / "figures" / "emoji" / question / f"{question}.json").is_file()
        assert list((ROOT / "figures" / "emoji" / question).glob("*.png"))


@pytest.mark.slow
def test_results_name_commits_of_this_history():
    """A rebase gives a commit another name; results that were made before it then name one that nobody can check out."""

    def git(*words: str) -> subprocess.CompletedProcess:
        return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True)

    named = {path: found.group(1) for path in (ROOT / "figures").rglob("*.json") if (found := COMMIT.search(path.read_text("utf-8")))}
    assert named
    lost = [path for path, commit in named.items() if git("merge-base", "--is-ancestor", commit, "HEAD").returncode]
    if len(lost) == len(named) or git("rev-parse", "--is-shallow-repository").stdout.strip() != "false":
        pytest.skip("the history is not here")
    assert not [str(path.relative_to(ROOT)) for path in lost], "run their commands again from a commit that is pushed"


@pytest.mark.slow
def test_what_may_be_skipped_is_listed_with_its_reason():
    """A test that is left out tests nothing: docs/testing.md lists each that can be."""
    skipping = []
    for path in sources("tests"):
        for node in ast.walk(ast.parse((ROOT / path).read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef) and SKIPS.search(ast.unparse(node)):
                skipping.append(node.name)
    listed = re.findall(r"^\| `(test_\w+)` \|", (ROOT / "docs" / "testing.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert skipping == listed


@pytest.mark.slow
def test_what_checks_less_without_data_is_listed():
    """Data that no package brings: docs/testing.md says of each file of tests that asks for them what is checked without them."""
    asking = re.compile(r"\bnltk_data\b|/ \"shared\" /")
    tests = [path for path in sources("tests") if path.name.startswith("test_") and path.name != "test_contracts.py"]
    less = [path.as_posix() for path in tests if asking.search((ROOT / path).read_text(encoding="utf-8"))]
    listed = re.findall(r"^\| `(tests/[\w/]+\.py)` \|", (ROOT / "docs" / "testing.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert sorted(less) == listed
