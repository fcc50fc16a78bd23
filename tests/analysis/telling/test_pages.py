"""The findings page: each question writes between its own marks, and two that end at once lose nothing of each other."""

import os
import re
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import pytest

from analysis.ablation.page import markdown
from analysis.question.command import QuestionOutcome
from analysis.question.question import by_name, read_results
from analysis.questions import QUESTIONS, WHOLE
from analysis.telling.pages import PAGE, check_marks, moved, tell, with_paragraph
from probes.command.cli import BadInput, Notice
from tests.analysis.question.configs import EVERY, config_of

ROOT = Path(__file__).parents[3]
BY_DATA = ("sinks",)
"""Questions whose paragraph says numbers of the reduced data too."""
TOLD = tuple(name for name, asked in QUESTIONS.items() if asked.page == PAGE.name and name not in BY_DATA)
"""Questions whose paragraph is made of the results file alone."""


def stored(question):
    return read_results(ROOT / "figures" / "emoji" / question / f"{question}.json")


@pytest.mark.parametrize("question", TOLD)
def test_the_page_says_what_the_results_say(question):
    found = stored(question)
    told = import_module(f"analysis.{question}.findings").paragraph
    text = told(found) if question == "sensitivity" else told(by_name(found["results"]), found)
    (shown,) = re.findall(rf"<!-- {question} -->\n(.*?)<!-- /{question} -->", (ROOT / PAGE).read_text(), re.DOTALL)
    assert shown == f"{text.strip()}\n", f"run python -m analysis.{question} --redraw"


ELSEWHERE = (
    *((question, "smollm2", "docs/subjects/smollm2/findings.md") for question in TOLD if question != "sensitivity"),
    *(
        (name, subject, "docs/subjects/smollm2/findings.md")
        for subject in ("smollm2",)
        for name in ("form", "mechanism", "methods", "grounding")
    ),
    ("grounding_three", "smollm2", "docs/subjects/smollm2/points.md"),
    ("form", "emoji", "docs/findings.md"),
    ("mechanism", "emoji", "docs/mechanism.md"),
    ("methods", "emoji", "docs/methods.md"),
    ("methods_beams", "emoji", "docs/beams.md"),
    ("methods_beams", "smollm2", "docs/subjects/smollm2/beams.md"),
    ("language", "", "docs/language.md"),
)
"""Folder of results, subject and page of what is told elsewhere too."""


@pytest.mark.parametrize(("folder", "subject", "page"), ELSEWHERE)
def test_other_pages_say_what_their_results_say(folder, subject, page):
    name = folder.partition("_")[0]
    asked = import_module(f"analysis.{name}.{'command' if name == 'mediation' else '__main__'}")
    out = Path("figures") / subject / folder
    reduced, _ = asked.QUESTION.read(asked.QUESTION.data(out))
    config = asked.QUESTION.as_stored(config_of(name)(out=out, page=Path(page)), reduced)
    text, _ = asked.words(QuestionOutcome(reduced, read_results(asked.QUESTION.results(out)), config))
    (shown,) = re.findall(rf"<!-- {name} -->\n(.*?)<!-- /{name} -->", (ROOT / page).read_text(), re.DOTALL)
    assert shown == f"{moved(text.strip(), name, Path(page), out)}\n", f"run python -m analysis.{name} --redraw --out {out} --page {page}"


def test_the_ablations_page_says_what_its_results_say():
    page = (ROOT / "docs" / "ablation.md").read_text()
    other = read_results(ROOT / "figures" / "emoji" / "ablation_half" / "ablation.json")
    text = markdown(stored("ablation"), other)
    assert with_paragraph(page, "ablation", text, ROOT) == page, "run python -m analysis.ablation --redraw"


def page_of(folder, names):
    page = folder / "findings.md"
    page.write_text("# Title\n" + "".join(f"\n## {name}\n<!-- {name} -->\nold\n<!-- /{name} -->\n" for name in names))
    return page


def test_a_paragraph_stands_between_its_marks_and_nothing_else_moves(tmp_path):
    page = page_of(tmp_path, ["one", "two"])
    tell("one", "  a \\1 paragraph\n", page)
    assert page.read_text() == (
        "# Title\n\n## one\n<!-- one -->\na \\1 paragraph\n<!-- /one -->\n\n## two\n<!-- two -->\nold\n<!-- /two -->\n"
    )


def test_questions_that_end_at_once_lose_no_paragraph(tmp_path):
    names = [f"q{i}" for i in range(12)]
    page = page_of(tmp_path, names)
    with ThreadPoolExecutor(12) as pool:
        list(pool.map(lambda name: tell(name, f"of {name}", page), names))
    assert all(f"<!-- {name} -->\nof {name}\n<!-- /{name} -->" in page.read_text() for name in names)


@pytest.mark.parametrize("page", ["none.md", "nowhere/findings.md"])
def test_a_page_of_ones_own_is_made_and_gets_its_marks_at_its_end(tmp_path, page):
    page = tmp_path / page
    for question in ("one", "two", "one"):
        tell(question, f"of {question}", page, tmp_path / question)
    title = page.stem.capitalize()
    assert page.read_text() == f"# {title}\n\n## One\n<!-- one -->\nof one\n<!-- /one -->\n\n## Two\n<!-- two -->\nof two\n<!-- /two -->\n"


def test_a_page_that_cannot_be_used_is_named(tmp_path, monkeypatch):
    page = page_of(tmp_path, ["one", "one"])
    with pytest.raises(BadInput, match="needs the marks <!-- one --> and <!-- /one --> once, each on a line; found 2"):
        tell("one", "text", page)
    page.write_bytes(b"\xff")
    with pytest.raises(BadInput, match=r"no UTF-8 \(byte 0\); save it as UTF-8, or give another page by --page"):
        tell("one", "text", page)
    monkeypatch.chdir(tmp_path)
    PAGE.parent.mkdir()
    PAGE.write_text("# Findings\n")
    with pytest.raises(BadInput, match="needs the marks <!-- one --> and <!-- /one --> once"):
        tell("one", "text")


def test_elsewhere_a_paragraph_names_its_own_files(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    text = "Figures: `figures/emoji/one/`. ![a](../figures/emoji/one/a.png) [sinks](sinks.md) [site](https://a.b/c.md)"
    tell("one", text, Path("out/mine-6/findings.md"), Path("out/mine-6/one"))
    told = Path("out/mine-6/findings.md").read_text()
    assert "Figures: `out/mine-6/one/`. ![a](one/a.png) [sinks](../../docs/sinks.md) [site](https://a.b/c.md)" in told


def test_results_in_a_place_of_any_name_are_linked(tmp_path):
    out = tmp_path / os.fsdecode(b"p\xff (1)")
    page = out / "findings.md"
    tell("one", "![a](../figures/emoji/one/a.png) Figures: `figures/emoji/one/`.", page, out / "one")
    assert f"![a](one/a.png) Figures: `{tmp_path}/p\\udcff (1)/one/`." in page.read_text(encoding="utf-8")
    tell("one", "![a](../figures/emoji/one/a.png)", tmp_path / "findings.md", out / "one")
    assert "![a](p%FF%20%281%29/one/a.png)" in (tmp_path / "findings.md").read_text(encoding="utf-8")


def test_a_trial_elsewhere_leaves_the_projects_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.warns(Notice, match="docs/findings.md is not here, so its paragraph is not written; run from a checkout, or give a"):
        tell("one", "of all scenes", out=Path("figures/emoji/one"))
    PAGE.parent.mkdir()
    page = page_of(PAGE.parent, ["one"])
    before = page.read_text()
    with pytest.warns(Notice, match="docs/findings.md is left as it is, since the results are in trial; give another page by --page"):
        tell("one", "of a trial", page, Path("trial"))
    assert page.read_text() == before
    ablation = Path("docs/ablation.md")
    ablation.touch()
    other = Path("docs/subjects/smollm2/findings.md")
    other.parent.mkdir(parents=True)
    other.write_text("kept")
    with pytest.warns(Notice, match="docs/subjects/smollm2/findings.md is left as it is, since the results are in out/mine"):
        tell("grounding", "of a trial", other, Path("out/mine"))
    assert other.read_text() == "kept"
    tell("grounding", "of it all", other, Path("figures/smollm2/grounding"))
    assert "of it all" in other.read_text()
    with pytest.warns(Notice, match="docs/ablation.md is left as it is"):
        tell("ablation", "of a half", ablation, Path("figures/emoji/ablation_half"))
    assert ablation.read_text() == ""
    tell("one", "of all scenes", page, Path("figures/emoji/one"))
    assert "of all scenes" in page.read_text()
    own = page_of(tmp_path, ["one"])
    tell("one", "of a trial", own, Path("trial"))
    assert "of a trial" in own.read_text()


def marked(page, question):
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text(f"<!-- {question} -->\nkept\n<!-- /{question} -->\n")
    return page.read_text()


@pytest.fixture
def checkout(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    marked(PAGE, "claims")


@pytest.mark.parametrize("question", EVERY)
@pytest.mark.parametrize("absolute", [False, True])
def test_every_page_that_a_question_writes_by_default_takes_the_default_results_alone(question, absolute, checkout):
    options = config_of(question)
    page, out = (path.resolve() if absolute else path for path in (options.page, options.out))
    for other in (Path("out/mine"), Path("figures/emoji/others"), Path("figures/published/x")):
        before = marked(page, question)
        with pytest.warns(Notice, match=f"{page} is left as it is, since the results are in {other}"):
            tell(question, "of a trial", page, other)
        assert page.read_text() == before
    tell(question, "of it all", page, out)
    assert page.read_text() == f"<!-- {question} -->\nof it all\n<!-- /{question} -->\n"


@pytest.mark.parametrize(("subject", "whole"), WHOLE.items())
@pytest.mark.parametrize("question", QUESTIONS)
def test_the_pages_of_a_subject_take_its_own_results_alone(question, subject, whole, checkout):
    page = whole.docs / QUESTIONS[question].page
    before = marked(page, question)
    for other in (Path("out/mine"), *(Path("figures") / name / question for name in WHOLE if name != subject)):
        with pytest.warns(Notice, match=f"{page} is left as it is"):
            tell(question, "of others", page, other)
    assert page.read_text() == before
    tell(question, "of its own", page, Path("figures") / subject / question)
    assert "of its own" in page.read_text()


def test_a_page_that_no_question_writes_by_default_takes_further_committed_results_alone(checkout):
    page = Path("docs/beams.md")
    before = marked(page, "methods")
    for other in ("out/mine", "figures/emoji/methods", "figures/smollm2/methods"):
        with pytest.warns(Notice, match=f"docs/beams.md is left as it is, since the results are in {other}"):
            tell("methods", "of others", page, Path(other))
    assert page.read_text() == before
    tell("methods", "of beams", page, Path("figures/emoji/methods_beams"))
    assert "of beams" in page.read_text()


def test_a_folder_of_ones_own_that_is_called_docs_is_ones_own(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tell("methods", "of a trial", Path("docs/mine.md"), Path("out/mine"))
    assert "of a trial" in Path("docs/mine.md").read_text()


def test_a_page_of_the_project_without_marks_is_refused_before_anything_is_computed(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    ours = Path("figures/emoji/one")
    check_marks("one", PAGE, ours)  # an installed package has no page
    PAGE.parent.mkdir()
    page_of(PAGE.parent, ["one", "one"])
    with pytest.raises(BadInput, match="needs the marks <!-- one --> and <!-- /one --> once, each on a line; found 2"):
        check_marks("one", PAGE, ours)
    check_marks("two", PAGE, Path("out/two"))  # a trial does not touch it
    with pytest.raises(BadInput, match="found 0"):
        check_marks("two", PAGE, Path("figures/emoji/two"))
    page_of(PAGE.parent, ["one"])
    check_marks("one", PAGE, ours)
